"""A whole job by the command: its answer, its progress, its exit code, and once more."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from command import COMMAND, Done, Run


def test_the_summary_is_the_answer_and_progress_is_not(finished: Done) -> None:
    shown = dict(line.split(maxsplit=1) for line in finished.stdout.splitlines())
    assert shown["job"] == "shapes"
    assert shown["status"] == "completed"
    assert shown["images"] == "35: 30 classified, 5 failed"
    assert float(shown["images/s"]) > 0
    assert "not_an_image" in shown["failures"]
    assert shown["labels"]


def test_progress_is_plain_lines_where_there_is_no_terminal(finished: Done) -> None:
    assert "\x1b" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if re.match(r"\d+/\d+ images", line)]
    assert lines[-1].startswith("35/35 images, 5 failed")


def test_the_summary_says_what_to_type_next(finished: Done, imagemill: Run) -> None:
    typed = [line.split() for line in finished.stderr.splitlines() if "  imagemill " in line]
    assert len(typed) == 3
    for command, *words in typed:
        assert command == "imagemill"
        assert imagemill(*words).returncode == 0


def test_a_complete_job_is_not_run_again(imagemill: Run, finished: Done, pictures: Path) -> None:
    done = imagemill("run", pictures, "--name", "shapes", "--weights", "demo", "--chunk-size", "8")
    assert done.returncode == 0
    assert "complete already" in done.stderr
    assert "35: 30 classified, 5 failed" in done.stdout


def test_strict_and_json_answer_with_the_job_and_exit_1(
    imagemill: Run, finished: Done, pictures: Path
) -> None:
    words = ("run", pictures, "--name", "shapes", "--weights", "demo", "--chunk-size", "8")
    done = imagemill(*words, "--strict", "--json")
    assert done.returncode == 1
    job = json.loads(done.stdout)
    assert job["status"] == "completed"
    assert job["counts"]["failed"] == 5
    shown = json.loads(imagemill("jobs", "show", "shapes", "--json").stdout)
    assert job == shown


def test_other_sources_under_the_same_name_are_refused(
    imagemill: Run, finished: Done, pictures: Path
) -> None:
    done = imagemill("run", pictures / "empty.jpg", "--name", "shapes", "--weights", "demo")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("imagemill: ")
    assert "shapes" in done.stderr


def test_no_image_at_all_is_one_sentence_and_no_job(imagemill: Run, tmp_path: Path) -> None:
    done = imagemill("run", tmp_path, "--name", "nothing", "--weights", "demo")
    assert done.returncode == 2
    assert done.stderr.startswith("imagemill: ")
    assert done.stderr.count("\n") == 1
    assert imagemill("jobs", "show", "nothing").returncode == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--device", "cuda:99"), "try --device cpu"),
        (("--device", "gpu"), "it takes auto, cpu, cuda or cuda:N"),
        (("--name", ""), "--name takes 1 to 100 characters"),
        (("--name", "two\nlines"), "--name takes 1 to 100 characters"),
        (("--id-column", "sku"), "no source here has a column"),
        (("--weights", "nowhere"), "no file here, and none of demo"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_no_job(
    imagemill: Run, pictures: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    database = f"sqlite:///{tmp_path}/own.db"
    weights = () if "--weights" in words else ("--weights", "demo")
    done = imagemill("run", pictures, *weights, *words, "--database-url", database)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    if (tmp_path / "own.db").exists():
        assert imagemill("jobs", "list", "--json", "--database-url", database).stdout == "[]\n"


def test_a_read_of_a_database_that_is_not_there_makes_none(imagemill: Run, tmp_path: Path) -> None:
    done = imagemill("jobs", "list", "--database-url", f"sqlite:///{tmp_path}/typo/x.db")
    assert done.returncode == 2
    assert "there is no database" in done.stderr
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_stop_says_how_to_go_on(
    environment: dict[str, str], folder: Path, pictures: Path, sent: signal.Signals, code: int
) -> None:
    words = ["run", str(pictures), "--name", f"stop {code}", "--weights", "demo"]
    child = subprocess.Popen(
        [COMMAND, *words],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr
    # The first line comes before the engine has started, so the job cannot be complete.
    assert child.stderr.readline().startswith("0/35 images")
    child.send_signal(sent)
    since = time.monotonic()
    out, err = child.communicate(timeout=60)
    assert time.monotonic() - since < 5
    assert child.returncode == code
    assert out == ""
    assert re.fullmatch(r"stopped; \d+ of 35 images are saved. To go on: imagemill .*", last(err))
    assert last(err).endswith(f"run {pictures} --name 'stop {code}' --weights demo")


def last(text: str) -> str:
    return text.splitlines()[-1]


def test_a_terminal_shows_a_bar(environment: dict[str, str], pictures: Path) -> None:
    words = ["run", str(pictures), "--weights", "demo", "--chunk-size", "8"]
    shown = run_on_terminal(words, environment)
    assert "\x1b[" in shown
    assert "━" in shown
    assert "35/35 images, 5 failed" in shown
    assert "completed" in shown


def test_a_table_on_a_terminal_has_a_rule_and_whole_words(
    environment: dict[str, str], finished: Done
) -> None:
    shown = run_on_terminal(["jobs", "list"], environment)
    assert "───" in shown
    assert "completed" in shown


def test_parquet_is_not_thrown_at_a_terminal(environment: dict[str, str], finished: Done) -> None:
    words = ["predictions", "export", "--job", "shapes", "--format", "parquet"]
    shown = run_on_terminal(words, environment)
    assert shown.startswith("imagemill: Parquet is no text for a terminal")


def test_a_terminal_is_asked_before_a_deletion(
    environment: dict[str, str], imagemill: Run, finished: Done
) -> None:
    shown = run_on_terminal(["jobs", "delete", "shapes"], environment, typed="n\n")
    assert "35 images? [y/N]" in shown
    assert "was kept" in shown
    assert imagemill("jobs", "show", "shapes").returncode == 0


def run_on_terminal(words: list[str], environment: dict[str, str], typed: str = "") -> str:
    """Return what a terminal of 100 columns shows of a command, both streams together."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    child = subprocess.Popen(
        [COMMAND, *words],
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b"".join(iter(lambda: read_some(ours), b""))
    os.close(ours)
    child.wait(60)
    return shown.decode()


def read_some(terminal: int) -> bytes:
    """Return what is there, or nothing after the last process has left the terminal."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
