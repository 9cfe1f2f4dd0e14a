"""The drain begins once, is over at its deadline or when it is told to hurry, and says so once."""

from __future__ import annotations

import threading
import time

import pytest
from waiting import wait_for

from workers.drain import Drain


class Ends:
    """Notes when ``on_over`` is called, and in which thread."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.threads: list[str] = []
        self.called = threading.Event()

    def __call__(self) -> None:
        self.moments.append(time.monotonic())
        self.threads.append(threading.current_thread().name)
        self.called.set()


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def drain(ends: Ends) -> Drain:
    return Drain(ends)


def await_no_timer() -> None:
    def is_gone() -> bool:
        return all(thread.name != "drain" for thread in threading.enumerate())

    wait_for(is_gone, 10, "the end of the timer", 0.005)


def test_a_drain_that_was_not_told_to_begins_never(drain: Drain) -> None:
    assert not drain.begun.is_set()
    assert not drain.over.is_set()


def test_a_drain_is_over_at_its_deadline_and_not_before(drain: Drain, ends: Ends) -> None:
    started = time.monotonic()
    drain.begin(0.3)
    assert drain.begun.is_set()
    assert not drain.over.is_set()
    assert ends.called.wait(10)
    assert drain.over.is_set()
    assert ends.moments[0] - started >= 0.3
    # Whoever closes the engine may wait for it: not in the thread that the signal interrupted.
    assert ends.threads == ["drain"]


def test_a_drain_that_is_told_to_hurry_is_over_now(drain: Drain, ends: Ends) -> None:
    drain.begin(600)
    drain.hurry()
    assert drain.over.is_set()
    assert ends.called.wait(10)


def test_a_hurry_begins_a_drain(drain: Drain, ends: Ends) -> None:
    drain.hurry()
    assert drain.begun.is_set()
    assert drain.over.is_set()
    assert ends.called.wait(10)


def test_beginning_twice_moves_no_deadline_and_ends_once(drain: Drain, ends: Ends) -> None:
    drain.begin(0.1)
    drain.begin(600)
    assert ends.called.wait(10)
    drain.begin(0)
    drain.hurry()
    await_no_timer()
    assert len(ends.moments) == 1


def test_many_who_hurry_at_once_end_it_once(drain: Drain, ends: Ends) -> None:
    threads = [threading.Thread(target=drain.hurry) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert ends.called.wait(10)
    await_no_timer()
    assert len(ends.moments) == 1
