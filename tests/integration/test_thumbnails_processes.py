"""The drawing processes: whatever a picture does to one, the server goes on, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from broken_pictures import draw_picture, encode
from waiting import wait_for

from pipeline.failures import PictureError
from pipeline.records import Failure
from pipeline.thumbnails import decoder, decoders
from pipeline.thumbnails.decoders import Decoders

_TESTS = Path(__file__).parents[1]
_PICTURE = encode(draw_picture(), "JPEG")

#: A server that says which process draws for it, and gives it an order or nothing more.
_PARENT = """
import sys
from pipeline.failures import PictureError
from pipeline.thumbnails import decoder
from pipeline.thumbnails.decoders import Decoders
decoder.COMMAND = (sys.executable, sys.argv[1])
pool = Decoders(320, 1_000_000)
try:
    pool.draw(b"text")
except PictureError:
    (pid,) = [each._child.process.pid for each in pool._all if each._child]
    print(pid, flush=True)
if sys.argv[2:]:
    pool.draw(sys.argv[2].encode())
sys.stdin.read()
"""


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """One drawing process that obeys orders."""
    monkeypatch.setattr(decoder, "COMMAND", (sys.executable, str(_TESTS / "odd_drawing.py")))
    monkeypatch.setattr(decoders, "_MOST", 1)
    made = Decoders(320, 1_000_000)
    yield made
    made.close()


def failure_of(pool: Decoders, data: bytes) -> Failure:
    with pytest.raises(PictureError) as caught:
        pool.draw(data)
    return caught.value.failure


def pid_of(pool: Decoders) -> int:
    child = pool._all[0]._child
    assert child is not None
    return child.process.pid


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody waits for counts."""
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_process_stays_from_picture_to_picture(pool: Decoders) -> None:
    pool.draw(_PICTURE)
    first = pid_of(pool)
    assert failure_of(pool, b"text").code == "not_an_image"
    pool.draw(_PICTURE)

    assert pid_of(pool) == first


def test_a_picture_that_ends_its_decoder_twice_fails_and_the_next_one_is_drawn(
    pool: Decoders,
) -> None:
    assert failure_of(pool, b"KILL").code == "decoder_crashed"

    assert pool.draw(_PICTURE).startswith(b"\xff\xd8")


def test_a_picture_whose_decoder_was_killed_is_drawn_by_the_next_one(
    pool: Decoders, tmp_path: Path
) -> None:
    (tmp_path / "mark").mkdir()

    assert pool.draw(b"LEAVE " + str(tmp_path / "mark").encode()) == b"drawn at the second try"


def test_a_process_that_is_killed_while_it_waits_is_replaced(pool: Decoders) -> None:
    pool.draw(_PICTURE)
    os.kill(pid_of(pool), signal.SIGKILL)

    assert pool.draw(_PICTURE).startswith(b"\xff\xd8")


def test_a_decoder_that_hangs_with_the_interpreter_in_its_hand_is_ended_in_time(
    pool: Decoders,
) -> None:
    started = time.monotonic()
    failure = failure_of(pool, b"HANG")

    assert (failure.code, failure.retryable) == ("timeout", True)
    assert time.monotonic() - started < 6
    assert pool.draw(_PICTURE).startswith(b"\xff\xd8")


def test_a_process_that_was_stopped_is_given_up(
    pool: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_LONGEST_S", 2.0)
    assert failure_of(pool, b"STOP").code == "timeout"

    monkeypatch.undo()
    assert pool._all[0]._child is None


def test_a_picture_that_takes_all_memory_fails_alone(pool: Decoders) -> None:
    pool.draw(_PICTURE)
    first = pid_of(pool)
    assert failure_of(pool, b"EAT").code == "decoder_crashed"

    pool.draw(_PICTURE)
    assert pid_of(pool) == first


def test_a_process_that_talks_nonsense_is_replaced(pool: Decoders) -> None:
    assert failure_of(pool, b"LIE").code == "decoder_crashed"

    assert pool.draw(_PICTURE).startswith(b"\xff\xd8")


def test_it_knows_no_secret_of_ours(pool: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("IMAGEMILL_BROKER_URL", "redis://:secret@redis:6379/0")

    names = set(pool.draw(b"SAY").decode().split())
    assert "PATH" in names
    assert not any(name.startswith(("PG", "IMAGEMILL", "AWS")) for name in names)


def test_it_writes_no_file(pool: Decoders, tmp_path: Path) -> None:
    failure_of(pool, b"WRITE " + str(tmp_path / "mark").encode())

    assert not (tmp_path / "mark").exists() or (tmp_path / "mark").stat().st_size == 0


def test_who_waits_too_long_for_a_process_is_told_so(
    pool: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "_PATIENCE_S", 0.1)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(failure_of, pool, b"HANG")
        wait_for(lambda: pool._idle.empty(), 10, "a busy process")
        assert failure_of(pool, _PICTURE).code == "timeout"
        assert hanging.result(10).code == "timeout"


def test_closing_ends_a_process_at_work_and_none_is_started_any_more(
    pool: Decoders, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(failure_of, pool, b"HANG " + str(mark).encode())
        wait_for(mark.exists, 10, "a process at work")
        pid = pid_of(pool)
        pool.close()
        assert "about to stop" in hanging.result(10).message
    assert is_gone(pid)
    assert "about to stop" in failure_of(pool, _PICTURE).message
    assert pool._all[0]._child is None


@pytest.mark.parametrize("order", ["", "HANG"])
def test_none_is_left_when_the_server_is_killed(order: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    words = [f"{order} {mark}"] if order else []
    command = [sys.executable, "-c", _PARENT, str(_TESTS / "odd_drawing.py"), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if order:
            wait_for(mark.exists, 10, "a process at work")
        assert not is_gone(pid)
        parent.kill()
    wait_for(lambda: is_gone(pid), 10, "the end of the drawing process")
