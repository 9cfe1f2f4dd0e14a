"""The small parts of thumbnails: versions, failures that are remembered, work that is shared."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from archive_helpers import pack_zip

from pipeline.errors import UsageError
from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits
from pipeline.records import Failure, FailureCode
from pipeline.thumbnails import refusals
from pipeline.thumbnails.frames import Kind, receive, send
from pipeline.thumbnails.once import Once
from pipeline.thumbnails.refusals import Refusals
from pipeline.thumbnails.thumbnails import Thumbnails
from pipeline.thumbnails.versions import find_version

LIMITS = FetchLimits(max_bytes=1000)
_FAILURE = Failure(FailureCode.TRUNCATED, "it ends")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_files_version_changes_with_its_time_and_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    os.utime(path, ns=(1, 1))
    first = find_version(str(path), LIMITS)
    os.utime(path, ns=(1, 2))
    second = find_version(str(path), LIMITS)
    path.write_bytes(b"12")
    os.utime(path, ns=(1, 2))

    assert len({first, second, find_version(str(path), LIMITS)}) == 3


def test_a_member_of_an_archive_has_the_archives_version(tmp_path: Path) -> None:
    archive = pack_zip(tmp_path / "a.zip", [("a.jpg", b"1")])
    uri = f"zip://{archive}#a.jpg"
    first = find_version(uri, LIMITS)
    assert find_version(uri, LIMITS) == first
    os.utime(archive, ns=(1, 1))

    assert find_version(uri, LIMITS) != first


def test_what_is_far_has_one_version_a_day_and_a_midnight_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uris = [f"https://pictures.example/{number}.jpg" for number in range(50)]
    changes = dict.fromkeys(uris, 0)
    seen = dict.fromkeys(uris, "")
    for hour in range(49):
        monkeypatch.setattr(time, "time", lambda now=1_700_000_000 + hour * 3600: now)
        versions = {uri: find_version(uri, LIMITS) for uri in uris}
        for uri in uris:
            changes[uri] += versions[uri] != seen[uri]
        assert hour == 0 or sum(versions[uri] != seen[uri] for uri in uris) < 20
        seen = versions
    assert set(changes.values()) == {3}


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("", "invalid_reference"),
        ("invalid:a", "invalid_reference"),
        ("a.jpg", "invalid_reference"),
        ("/a\0.jpg", "invalid_reference"),
        ("/no/such.jpg", "not_found"),
        ("/dev/zero", "not_an_image"),
        ("file:///etc/passwd", "unsupported_scheme"),
    ],
)
def test_what_may_not_be_read_has_no_version(uri: str, code: str) -> None:
    with pytest.raises(PictureError) as caught:
        find_version(uri, LIMITS)
    assert caught.value.failure.code == code


def test_a_failure_is_remembered_for_a_minute() -> None:
    clock = Clock()
    failures = Refusals(clock)
    failures.check("a")
    failures.note("a", _FAILURE)
    clock.now += 59
    with pytest.raises(PictureError, match="it ends"):
        failures.check("a")
    failures.check("b")
    clock.now += 2
    failures.check("a")


def test_only_so_many_failures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_KEPT", 3)
    failures = Refusals()
    for key in "abcd":
        failures.note(key, _FAILURE)
    failures.check("a")
    with pytest.raises(PictureError):
        failures.check("b")


def test_what_many_ask_for_at_once_is_made_once() -> None:
    once, made, may_end = Once(), [], threading.Event()

    def work() -> bytes:
        made.append(1)
        assert may_end.wait(10)
        return b"x"

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(once.do, "key", work) for _ in range(8)]
        may_end.set()
        assert {answer.result(10) for answer in answers} == {b"x"}
    # Those that came when it was done made it anew, and nothing is left of either.
    assert len(made) < 8
    assert once._under_way == {}


def test_a_failure_reaches_all_who_asked_and_the_next_one_tries_again() -> None:
    once = Once()

    def fail() -> bytes:
        raise PictureError(FailureCode.TRUNCATED, "it ends")

    with pytest.raises(PictureError):
        once.do("key", fail)
    assert once.do("key", lambda: b"x") == b"x"


def test_a_frame_arrives_as_it_was_sent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, Kind.THUMBNAIL, b"x" * 1000)
        assert receive(theirs, 1000) == (Kind.THUMBNAIL, b"x" * 1000)
        send(ours, Kind.THUMBNAIL, b"x" * 1001)
        with pytest.raises(ValueError, match="longer"):
            receive(theirs, 1000)


def test_a_policy_that_cannot_be_read_is_said_at_the_start(tmp_path: Path) -> None:
    limits = FetchLimits(1000, private_hosts=("10.0.0.1/8",))
    with pytest.raises(UsageError, match="--allow-private-hosts"):
        Thumbnails(tmp_path, 1000, limits, 1000)
