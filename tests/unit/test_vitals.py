"""What is wrong with a worker, and who gives no sign of life."""

from __future__ import annotations

import logging

import pytest

from pipeline.errors import BrokerError, DatabaseError
from workers.watch.vitals import Problem, Vitals


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vitals(clock: Clock) -> Vitals:
    return Vitals(clock)


def test_a_trouble_lasts_until_it_is_over(vitals: Vitals, clock: Clock) -> None:
    vitals.trouble(Problem.DATABASE, "it is away")
    vitals.trouble(Problem.BROKER, "so is this")
    vitals.fine(Problem.BROKER)
    clock.now += 1e6
    assert vitals.problems() == {"database": "it is away"}


def test_a_trouble_that_nobody_calls_off_passes_by_itself(vitals: Vitals, clock: Clock) -> None:
    vitals.trouble(Problem.MODEL, "it is absent", for_s=60)
    clock.now += 59
    vitals.trouble(Problem.MODEL, "it is absent still", for_s=60)
    clock.now += 59
    assert vitals.problems() == {"model": "it is absent still"}
    clock.now += 1
    assert not vitals.problems()


def test_a_passing_error_is_noted_and_the_next_success_ends_it(vitals: Vitals) -> None:
    with pytest.raises(DatabaseError), vitals.watching(Problem.DATABASE, DatabaseError):
        raise DatabaseError("the database is away")
    assert vitals.problems() == {"database": "the database is away"}
    with vitals.watching(Problem.DATABASE, DatabaseError):
        pass
    assert not vitals.problems()


def test_an_error_of_another_kind_says_nothing(vitals: Vitals) -> None:
    vitals.trouble(Problem.DATABASE, "it is away")
    with pytest.raises(BrokerError), vitals.watching(Problem.DATABASE, DatabaseError):
        raise BrokerError("the broker is away")
    assert vitals.problems() == {"database": "it is away"}


def test_a_trouble_shows_no_password(vitals: Vitals) -> None:
    vitals.trouble(Problem.BROKER, "redis://:hidden@host:6379 is away")
    assert vitals.problems() == {"broker": "redis://:***@host:6379 is away"}


def test_a_trouble_is_logged_when_it_begins_and_when_it_ends(
    vitals: Vitals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        vitals.trouble(Problem.BROKER, "it is away")
    for _ in range(2):
        vitals.fine(Problem.BROKER)
    assert caplog.messages == ["broker: it is away", "broker: well again"]


def test_who_is_overdue_is_stuck_until_the_next_sign_of_life(vitals: Vitals, clock: Clock) -> None:
    vitals.beat("sweeper", limit_s=90)
    vitals.beat("leases", limit_s=30)
    clock.now += 31
    assert vitals.stuck() == ["leases"]
    clock.now += 60
    assert vitals.stuck() == ["leases", "sweeper"]
    vitals.beat("leases", limit_s=30)
    vitals.rest("sweeper")
    assert not vitals.stuck()


def test_a_worker_is_ready_between_its_start_and_its_drain(vitals: Vitals) -> None:
    assert "starting" in vitals.obstacles()["worker"]
    vitals.start()
    assert not vitals.obstacles()
    vitals.drain()
    assert "told to stop" in vitals.obstacles()["worker"]


def test_what_is_wrong_or_stuck_stands_in_the_way(vitals: Vitals, clock: Clock) -> None:
    vitals.start()
    vitals.trouble(Problem.FOLDER, "/pictures is absent")
    vitals.beat("engine", 1)
    clock.now += 2
    expected = {"folder": "/pictures is absent", "stuck": "no sign of life of engine"}
    assert vitals.obstacles() == expected
