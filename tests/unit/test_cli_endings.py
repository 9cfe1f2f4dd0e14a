"""How a command ends: an exit code and one sentence for whatever happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import typer

from pipeline.cli.endings import run_to_exit_code
from pipeline.errors import JobError, WeightsError


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raise_(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_a_command_ends_with_the_code_it_returns(returned: int | None, code: int) -> None:
    assert run_to_exit_code(lambda: returned) == code


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (JobError("no job 'x'; look again"), 2, "imagemill: no job 'x'; look again\n"),
        (typer.BadParameter("no\nsuch."), 2, "imagemill: Invalid value: no such; "),
        (KeyError("x"), 1, "please report it: KeyError: 'x'"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Abort(), 130, ""),
    ],
)
def test_what_is_raised_becomes_one_sentence(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_to_exit_code(lambda: raise_(error)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == bool(sentence)
    assert "Traceback" not in said.err


def test_the_traceback_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGEMILL_DEBUG", "1")
    assert run_to_exit_code(lambda: raise_(KeyError("x"))) == 1
    assert "Traceback" in capsys.readouterr().err


def stop_by(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    signal.pause()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_code_of_its_own(number: signal.Signals, code: int) -> None:
    assert run_to_exit_code(lambda: stop_by(number)) == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_error_that_answers_a_signal_is_no_error(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer_with_an_error() -> None:
        try:
            stop_by(number)
        except KeyboardInterrupt:
            raise WeightsError("the file was torn out of my hands") from None

    assert run_to_exit_code(answer_with_an_error) == code
    assert capsys.readouterr().err == "imagemill: stopped\n"


def test_ctrl_c_stays_ignored_where_the_shell_ignores_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run_to_exit_code(lambda: os.kill(os.getpid(), signal.SIGINT)) == 0
