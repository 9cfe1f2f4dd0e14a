"""The logs of a worker's process: one handler for all, Celery's loggers included."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery, signals
from celery.app.log import Logging
from celery.utils.log import get_task_logger

from workers.watch.logs import connect_to_celery, set_up_logs

log = logging.getLogger("workers.watch.test")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the logging of this process back as it was."""
    loggers = [logging.getLogger(), *map(logging.getLogger, ("celery", "celery.task", "kombu"))]
    chatty = map(logging.getLogger, ("celery.worker.strategy", "celery.app.trace", "alembic"))
    kept = [(one, [*one.handlers], one.level, one.propagate) for one in (*loggers, *chatty)]
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(False)
    for one, handlers, level, propagate in kept:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def written(capsys: Capture) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_set_up_twice_writes_once_and_replaces_what_was_there(capsys: Capture) -> None:
    logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
    set_up_logs("json")
    set_up_logs("text", "warning")
    log.info("not heard")
    log.warning("heard")
    (line,) = written(capsys)
    assert line.endswith("WARNING workers.test heard")


def test_the_answer_alone_goes_to_standard_output(capsys: Capture) -> None:
    set_up_logs("json")
    log.info("here")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["message"] == "here"


def test_a_thread_that_ends_with_an_exception_says_so_in_one_line(capsys: Capture) -> None:
    set_up_logs("text")
    thread = threading.Thread(target=lambda: 1 / 0, name="sweeper")
    thread.start()
    thread.join()
    (line,) = written(capsys)
    assert "CRITICAL workers.logs the thread sweeper ended with an exception" in line
    assert "ZeroDivisionError" in line


def test_a_thread_that_only_exits_says_nothing(capsys: Capture) -> None:
    set_up_logs("text")
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert written(capsys) == []


def test_a_standard_error_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    set_up_logs("text")
    log.info("nobody hears it")


def test_what_celery_set_up_before_is_replaced_too(capsys: Capture) -> None:
    for name in ("celery", "celery.task"):
        logging.getLogger(name).addHandler(logging.StreamHandler(sys.stderr))
    logging.getLogger("celery.task").propagate = False
    set_up_logs("text")
    get_task_logger("celery.task.any").info("here")
    (line,) = written(capsys)
    assert line.endswith("INFO celery.any here")


StartCelery = Callable[..., None]


@pytest.fixture
def start_celery(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartCelery]:
    """Set up logs as Celery's worker does at its start: ``(level="WARNING", logfile=None)``."""
    for name in ("CELERY_LOG_LEVEL", "CELERY_LOG_FILE"):
        monkeypatch.setenv(name, "")
    for name in ("_MP_FORK_LOGLEVEL_", "_MP_FORK_LOGFILE_", "_MP_FORK_LOGFORMAT_"):
        monkeypatch.setenv(name, "")

    def start(level: str = "WARNING", logfile: Path | None = None) -> None:
        monkeypatch.setattr(Logging, "_setup", False)
        app = Celery("test", broker="memory://", set_as_current=False)
        assert app.log.setup(level, logfile and str(logfile), redirect_stdouts=True)

    yield start
    for signal in (signals.setup_logging, signals.celeryd_init):
        signal.disconnect(dispatch_uid="imagemill.logs")


def test_celery_leaves_the_logs_and_the_standard_streams_to_us(
    start_celery: StartCelery, capsys: Capture
) -> None:
    streams = (sys.stdout, sys.stderr)
    connect_to_celery("text")
    connect_to_celery("json")
    start_celery()
    assert (sys.stdout, sys.stderr) == streams
    for name in ("celery", "celery.worker.consumer", "celery.redirected", "kombu.connection"):
        logging.getLogger(name).info("here")
    get_task_logger("imagemill.task").info("here")
    lines = [json.loads(line) for line in written(capsys)]
    assert [line["message"] for line in lines] == ["here"] * 5


def test_celerys_line_for_each_task_is_for_debugging_only(
    start_celery: StartCelery, capsys: Capture
) -> None:
    def carry_a_task() -> None:
        strategy, trace = (
            logging.getLogger(f"celery.{n}") for n in ("worker.strategy", "app.trace")
        )
        strategy.info("Task %(name)s received", {"name": "x"}, extra={"data": {"args": "secret"}})
        trace.info("Task succeeded")
        trace.error("Task failed")

    connect_to_celery("text")
    start_celery()
    carry_a_task()
    (line,) = written(capsys)
    assert line.endswith("ERROR celery.trace Task failed")
    start_celery("DEBUG")
    carry_a_task()
    assert [line.split(" ", 1)[1] for line in written(capsys)[-3:]] == [
        "INFO celery.strategy Task x received",
        "INFO celery.trace Task succeeded",
        "ERROR celery.trace Task failed",
    ]


def test_a_level_on_celerys_command_line_counts(start_celery: StartCelery, capsys: Capture) -> None:
    connect_to_celery("text")
    start_celery("ERROR")
    log.warning("not heard")
    log.error("heard")
    (line,) = written(capsys)
    assert line.endswith("ERROR workers.test heard")


def test_a_log_file_of_celerys_command_line_is_refused(
    start_celery: StartCelery, capsys: Capture, tmp_path: Path
) -> None:
    connect_to_celery("text")
    start_celery(logfile=tmp_path / "log")
    (line,) = written(capsys)
    assert "--logfile is not used" in line
    assert not (tmp_path / "log").exists()


@pytest.mark.usefixtures("start_celery")
def test_celerys_warning_to_root_becomes_one_line(capsys: Capture) -> None:
    connect_to_celery("text")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        signals.celeryd_init.send(sender="worker@host", instance=None, conf=None, options={})
        warnings.warn("not\n\nrecommended!", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = written(capsys)
    assert "not\\n\\nrecommended!" in line
