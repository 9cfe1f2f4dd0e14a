"""Rates, time left and plain lines of progress, by a clock that the test holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.cli.run.progress import Lines, Meter, describe, shown_duration
from pipeline.records import Counts, Dispatch, Job, JobStatus, Precision, Priority


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def job(succeeded: int, failed: int = 0, total: int = 1000) -> Job:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    plain = Job(
        1, "jaaaaaaaaaa", "holiday", JobStatus.RUNNING, None, None, Dispatch.LOCAL,
        Priority.BULK, 3, None, 1,
        "demo", "5a" * 32, Precision.AUTO, "1", {}, "hash", Counts(), 0, 0, {}, None, None, moment,
        None, None, None,
    )  # fmt: skip
    return replace(plain, counts=Counts(total, succeeded, failed))


def test_there_is_no_rate_before_the_second_step(clock: Clock) -> None:
    meter = Meter(clock=clock)
    meter.update(0)
    assert meter.rate is None
    clock.sleep(3)
    meter.update(64)
    assert meter.rate is None
    assert meter.seconds_left(500) is None


def test_start_up_is_no_part_of_the_rate(clock: Clock) -> None:
    meter = Meter(clock=clock)
    meter.update(0)
    clock.sleep(30)
    for done in (64, 164, 264):
        meter.update(done)
        clock.sleep(1)
    assert meter.rate == pytest.approx(100)
    assert meter.mean_rate == pytest.approx(100)


def test_what_an_earlier_run_did_is_no_part_of_the_rate(clock: Clock) -> None:
    meter = Meter(clock=clock)
    meter.update(50_000)
    clock.sleep(5)
    meter.update(50_064)
    clock.sleep(1)
    meter.update(50_084)
    assert meter.rate == pytest.approx(20)


def test_the_rate_forgets_what_lies_before_the_window(clock: Clock) -> None:
    meter = Meter(window_s=10, clock=clock)
    done = 0
    for images_per_s in [1000] * 20 + [10] * 20:
        meter.update(done)
        clock.sleep(1)
        done += images_per_s
    meter.update(done)
    assert meter.rate == pytest.approx(10)
    assert meter.mean_rate == pytest.approx((19 * 1000 + 20 * 10) / 39)


def test_the_rate_sinks_while_nothing_finishes(clock: Clock) -> None:
    meter = Meter(window_s=10, clock=clock)
    for done in (0, 100, 200):
        meter.update(done)
        clock.sleep(1)
    fast = meter.rate or 0.0
    clock.sleep(5)
    meter.update(200)
    assert 0 < (meter.rate or 0.0) < fast
    clock.sleep(60)
    meter.update(200)
    clock.sleep(60)
    meter.update(200)
    assert meter.rate == 0.0
    assert meter.seconds_left(5) is None
    assert meter.mean_rate == pytest.approx(fast)


def test_the_time_left_follows_from_the_rate(clock: Clock) -> None:
    meter = Meter(clock=clock)
    for done in (0, 10, 30):
        meter.update(done)
        clock.sleep(1)
    assert meter.seconds_left(100) == pytest.approx(5)
    assert meter.seconds_left(0) == 0.0


def test_the_window_holds_few_samples_however_long_a_job_is(clock: Clock) -> None:
    meter = Meter(window_s=10, clock=clock)
    for done in range(100_000):
        meter.update(done)
        clock.sleep(1)
    assert len(meter._samples) < 15


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (11_100, "3:05:00")],
)
def test_a_duration_reads_as_on_a_clock(seconds: float, shown: str) -> None:
    assert shown_duration(seconds) == shown


def test_a_line_says_what_is_known(clock: Clock) -> None:
    meter = Meter(clock=clock)
    meter.update(0)
    assert describe(job(0).counts, meter) == "0/1,000 images, 0 failed"
    for done in (10, 30):
        meter.update(done)
        clock.sleep(0.5)
    line = describe(job(28, 2).counts, meter)
    assert line == "30/1,000 images, 2 failed, 40.0 images/s, 0:24 left"


def test_lines_come_first_then_every_few_seconds_and_last(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(every_s=5, clock=clock, write=written.append)
    for second in range(12):
        lines.update(job(second * 10))
        clock.sleep(1)
    lines.close()
    assert [line.split("/")[0] for line in written] == ["0", "50", "100", "110"]


def test_the_last_line_is_not_written_twice(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(every_s=5, clock=clock, write=written.append)
    lines.update(job(0))
    lines.close()
    assert written == ["0/1,000 images, 0 failed"]


def test_a_run_that_never_began_writes_no_line(clock: Clock) -> None:
    written: list[str] = []
    Lines(clock=clock, write=written.append).close()
    assert written == []


def test_a_job_that_was_begun_before_is_told_of_once(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(every_s=60, clock=clock, write=written.append)
    lines.update(job(120, 5))
    lines.update(job(130, 5))
    assert written == [
        "going on with holiday, where 125 of 1,000 images are done",
        "125/1,000 images, 5 failed",
    ]


def test_storing_a_large_job_is_told_every_few_seconds(clock: Clock) -> None:
    lines: list[str] = []
    display = Lines(5, clock, lines.append)
    for piece in range(1, 12):
        display.show_stored(50_000 * piece)
        clock.sleep(1)
    assert lines == [
        "storing the job: 50,000 images",
        "storing the job: 300,000 images",
        "storing the job: 550,000 images",
    ]
