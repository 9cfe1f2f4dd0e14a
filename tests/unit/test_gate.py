"""The gate: ordinary chunks inside together, a solo chunk by itself, nobody for ever outside."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest
from crowd import at_once
from waiting import wait_for

from workers.gate import Gate


class Visitors:
    """Threads that go through a gate, and stay inside until they are told to leave."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.gate = Gate()
        self.inside: list[str] = []
        self._pool = pool
        self._leave: dict[str, threading.Event] = {}

    def come(self, name: str, solo: bool = False) -> Future[None]:
        """Let somebody come to the gate."""
        self._leave[name] = threading.Event()
        return self._pool.submit(self._visit, name, solo)

    def leave(self, name: str) -> None:
        """Let somebody leave."""
        self._leave[name].set()

    def _visit(self, name: str, solo: bool) -> None:
        with self.gate.enter(solo):
            self.inside.append(name)
            assert self._leave[name].wait(20)
            self.inside.remove(name)

    def await_inside(self, *names: str) -> None:
        """Wait until exactly these are inside."""
        wait_for(lambda: sorted(self.inside) == sorted(names), 10, f"{names} inside", 0.005)

    def await_queue(self, count: int) -> None:
        """Wait until so many stand outside."""
        waiters = self.gate._changed._waiters  # type: ignore[attr-defined]
        wait_for(lambda: len(waiters) == count, 10, f"{count} outside", 0.005)

    def go_home(self) -> None:
        """Let everybody leave."""
        for event in self._leave.values():
            event.set()


@pytest.fixture
def visitors() -> Iterator[Visitors]:
    with ThreadPoolExecutor(8) as pool, ExitStack() as last:
        made = Visitors(pool)
        last.callback(made.go_home)
        yield made


def test_ordinary_chunks_are_inside_together(visitors: Visitors) -> None:
    for name in "abc":
        visitors.come(name)
    visitors.await_inside("a", "b", "c")


def test_a_solo_chunk_waits_until_everybody_has_left(visitors: Visitors) -> None:
    visitors.come("a"), visitors.come("b")
    visitors.await_inside("a", "b")
    visitors.come("solo", solo=True)
    visitors.await_queue(1)
    visitors.leave("a")
    visitors.await_inside("b")
    visitors.leave("b")
    visitors.await_inside("solo")


def test_everybody_waits_until_a_solo_chunk_has_left(visitors: Visitors) -> None:
    visitors.come("solo", solo=True)
    visitors.await_inside("solo")
    visitors.come("a"), visitors.come("b"), visitors.come("other", solo=True)
    visitors.await_queue(3)
    assert visitors.inside == ["solo"]
    visitors.leave("solo")
    visitors.await_inside("other")
    visitors.leave("other")
    visitors.await_inside("a", "b")


def test_those_who_come_later_do_not_pass_a_solo_chunk(visitors: Visitors) -> None:
    visitors.come("a")
    visitors.await_inside("a")
    visitors.come("solo", solo=True)
    visitors.await_queue(1)
    visitors.come("b")
    visitors.await_queue(2)
    assert visitors.inside == ["a"]
    visitors.leave("a")
    visitors.await_inside("solo")
    visitors.leave("solo")
    visitors.await_inside("b")


@pytest.mark.parametrize("solo", [True, False])
def test_an_exception_leaves_the_gate(solo: bool) -> None:
    gate = Gate()
    with pytest.raises(MemoryError), gate.enter(solo):
        raise MemoryError
    with gate.enter(solo=True):
        pass
    with gate.enter(solo=False), gate.enter(solo=False):
        pass


def test_in_any_crowd_a_solo_chunk_is_alone() -> None:
    gate, inside, crowds = Gate(), dict[int, bool](), list[list[bool]]()
    start = threading.Barrier(6)

    def visit(number: int) -> None:
        chance = random.Random(number)
        start.wait(20)
        for _ in range(100):
            solo = chance.random() < 0.2
            with gate.enter(solo):
                inside[number] = solo
                time.sleep(0)  # Let somebody in who should not come in.
                crowds.append(list(inside.values()))
                del inside[number]

    at_once(*(partial(visit, number) for number in range(6)))
    assert len(crowds) == 600
    assert all(crowd == [True] for crowd in crowds if any(crowd))
