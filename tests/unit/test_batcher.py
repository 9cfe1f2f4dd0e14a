"""The batcher, with lists and a fake clock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from workers.batcher import Batcher

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeClock:
    """Time moves only when somebody waits; ``arrivals`` happen at their moment."""

    def __init__(self) -> None:
        self.time = 0.0
        self.arrivals: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        until = float("inf") if timeout_s is None else self.time + timeout_s
        if self.arrivals and self.arrivals[0][0] <= until:
            self.time, arrive = self.arrivals.pop(0)
            arrive()
            return
        assert timeout_s is not None, "the batcher waits for ever and nobody will come"
        self.time = until


def test_a_full_batch_never_waits() -> None:
    clock = FakeClock()
    batcher: Batcher[int] = Batcher(4, 1000, clock)
    batcher.put(range(9))
    assert batcher.next_batch() == ([0, 1, 2, 3], 0.0)
    assert batcher.next_batch() == ([4, 5, 6, 7], 0.0)
    assert clock.time == 0


def test_the_window_opens_with_the_first_item_and_not_with_the_last() -> None:
    clock = FakeClock()
    batcher: Batcher[str] = Batcher(10, 100, clock)
    for moment, name in ((5.0, "a"), (5.06, "b"), (5.09, "c"), (5.2, "late")):
        clock.arrivals.append((moment, lambda name=name: batcher.put([name])))  # type: ignore[misc]
    batch, waited = batcher.next_batch()
    assert batch == ["a", "b", "c"]
    assert abs(waited - 0.1) < 1e-9
    assert abs(clock.time - 5.1) < 1e-9


def test_a_batch_that_fills_up_leaves_at_once() -> None:
    clock = FakeClock()
    batcher: Batcher[int] = Batcher(3, 1000, clock)
    batcher.put([1])
    clock.arrivals = [(0.2, lambda: batcher.put([2])), (0.3, lambda: batcher.put([3, 4]))]
    assert batcher.next_batch()[0] == [1, 2, 3]
    assert clock.time == 0.3


def test_what_was_left_over_has_been_waiting_since_it_came() -> None:
    clock = FakeClock()
    batcher: Batcher[int] = Batcher(2, 100, clock)
    batcher.put([1, 2, 3])
    batcher.next_batch()
    clock.time = 0.07
    assert batcher.next_batch() == ([3], 0.1)


def test_without_patience_every_item_leaves_as_it_comes() -> None:
    batcher: Batcher[int] = Batcher(8, 0, FakeClock())
    batcher.put([1])
    assert batcher.next_batch() == ([1], 0.0)


def test_a_closed_batcher_gives_what_is_left_and_then_nothing() -> None:
    batcher: Batcher[int] = Batcher(2, 10_000, FakeClock())
    batcher.put([1, 2, 3])
    batcher.close()
    assert [batcher.next_batch()[0] for _ in range(3)] == [[1, 2], [3], []]


def test_closing_wakes_a_taker_that_waits_for_ever() -> None:
    batcher: Batcher[int] = Batcher(2, 10_000)
    taken: list[list[int]] = []
    taker = threading.Thread(target=lambda: taken.append(batcher.next_batch()[0]))
    taker.start()
    batcher.close()
    taker.join(5)
    assert taken == [[]]


def test_the_cap_shrinks_and_never_grows_or_reaches_zero() -> None:
    batcher: Batcher[int] = Batcher(8, 0, FakeClock())
    batcher.put(range(9))
    batcher.shrink(4)
    batcher.shrink(6)
    assert batcher.next_batch()[0] == [0, 1, 2, 3]
    batcher.shrink(0)
    assert batcher.next_batch()[0] == [4]
    assert batcher.max_batch == 1


@given(
    arrivals=st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 12)), max_size=30),
    max_batch=st.integers(1, 9),
    max_wait_ms=st.sampled_from([0, 1, 50, 1000]),
)
def test_no_item_is_lost_or_doubled_the_cap_holds_and_order_is_kept(
    arrivals: list[tuple[float, int]], max_batch: int, max_wait_ms: float
) -> None:
    clock = FakeClock()
    batcher: Batcher[int] = Batcher(max_batch, max_wait_ms, clock)
    moment, count = 0.0, 0
    for pause, size in arrivals:
        moment += pause
        items = list(range(count, count + size))
        clock.arrivals.append((moment, lambda items=items: batcher.put(items)))  # type: ignore[misc]
        count += size
    clock.arrivals.append((moment + 1, batcher.close))
    got: list[int] = []
    while batch := batcher.next_batch():
        items, waited = batch
        if not items:
            break
        assert len(items) <= max_batch
        assert waited <= max_wait_ms / 1000 + 1e-9 or len(items) == max_batch or not clock.arrivals
        got += items
    assert got == list(range(count))


def test_many_threads_share_one_batcher_and_lose_nothing() -> None:
    batcher: Batcher[int] = Batcher(7, 1)
    taken: list[int] = []

    def put(start: int) -> None:
        for i in range(start, start + 500, 5):
            batcher.put(range(i, i + 5))

    def take() -> None:
        while items := batcher.next_batch()[0]:
            taken.extend(items)

    takers = [threading.Thread(target=take) for _ in range(2)]
    putters = [threading.Thread(target=put, args=(n * 500,)) for n in range(4)]
    for thread in takers + putters:
        thread.start()
    for thread in putters:
        thread.join()
    batcher.close()
    for thread in takers:
        thread.join()
    assert sorted(taken) == list(range(2000))
