"""The pace of looks: not too often, and never for much of the time."""

from __future__ import annotations

from contextlib import suppress

import pytest

from pipeline.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_look_is_due_at_once(clock: Clock) -> None:
    assert Pace(clock=clock).pause_s == 0


def test_quick_looks_keep_their_distance(clock: Clock) -> None:
    pace = Pace(every_s=0.5, share=0.05, clock=clock)
    with pace.look():
        clock.now += 0.001
    assert pace.pause_s == pytest.approx(0.5)
    clock.now += 0.4
    assert pace.pause_s == pytest.approx(0.1)
    clock.now += 0.2
    assert pace.pause_s == 0


def test_a_slow_look_is_followed_by_a_long_pause(clock: Clock) -> None:
    pace = Pace(every_s=0.5, share=0.05, clock=clock)
    with pace.look():
        clock.now += 0.2
    assert pace.pause_s == pytest.approx(4.0)


def test_a_look_that_fails_counts_too(clock: Clock) -> None:
    pace = Pace(every_s=0.5, share=0.05, clock=clock)
    with suppress(KeyError), pace.look():
        clock.now += 1
        raise KeyError
    assert pace.pause_s == pytest.approx(20.0)
