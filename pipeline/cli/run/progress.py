"""How far a job is: its rate, the time left, and a plain line of it every few seconds."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.records import Counts, Job

#: Over how many seconds the rate is taken.
WINDOW_S = 15.0
#: A plain line is written this often.
LINE_EVERY_S = 5.0


class Meter:
    """Images a second over a sliding window.

    Its time begins with the first image that finishes: start-up, and what an earlier run did,
    are no part of a rate.
    """

    def __init__(
        self, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._window_s = window_s
        self._clock = clock
        self._before: int | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None

    def update(self, done: int) -> None:
        """Take note that ``done`` images are finished now."""
        if self._before is None:
            self._before = done
        if done == self._before and self._first is None:
            return
        sample = (self._clock(), done)
        self._first = self._first or sample
        if self._last is None or done > self._last[1]:
            self._last = sample
        self._samples.append(sample)
        # The newest sample beyond the window stays: the window must have a beginning.
        while len(self._samples) > 2 and self._samples[1][0] <= sample[0] - self._window_s:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Images a second over the window; None before a second step of progress."""
        return _rate(self._samples[0], self._samples[-1]) if self._samples else None

    @property
    def mean_rate(self) -> float | None:
        """Images a second from the first finished images to the last; None if they are one step."""
        return _rate(self._first, self._last) if self._first and self._last else None

    def seconds_left(self, pending: int) -> float | None:
        """Return the time that ``pending`` images take at the rate; None while it is unknown."""
        return pending / self.rate if self.rate else None


class Display(ABC):
    """Shows how far a job is; ``job`` is the last that was heard of it (None: nothing yet)."""

    def __init__(self, meter: Meter, write: Callable[[str], None] = say) -> None:
        self.meter = meter
        self.job: Job | None = None
        self._write = write

    def update(self, job: Job) -> None:
        """Show the job as it is now; say so when it was begun before."""
        done = count_done(job.counts)
        if self.job is None and done:
            total = f"{job.counts.total:,} images are done"
            self._write(f"going on with {job.handle}, where {done:,} of {total}")
        self.job = job
        self.meter.update(done)
        self.show(job.counts)

    @abstractmethod
    def show_stored(self, images: int) -> None:
        """Show how many images of a large job are stored so far, before anything of it runs."""

    @abstractmethod
    def show(self, counts: Counts) -> None:
        """Show these counts."""

    @abstractmethod
    def close(self) -> None:
        """Show the last state, and nothing more."""


class Lines(Display):
    """Progress as plain lines: the first state, one every few seconds, and the last."""

    def __init__(
        self,
        every_s: float = LINE_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = say,
    ) -> None:
        super().__init__(Meter(clock=clock), write)
        self._every_s = every_s
        self._clock = clock
        self._next = clock()
        self._line = self._written = ""

    def show_stored(self, images: int) -> None:
        """Write a line, if it is time for one."""
        if self._clock() >= self._next:
            self._line = describe_stored(images)
            self._write_line()

    def show(self, counts: Counts) -> None:
        """Write a line, if it is time for one."""
        self._line = describe(counts, self.meter)
        if self._clock() >= self._next:
            self._write_line()

    def close(self) -> None:
        """Write the last state, unless it stands there already."""
        if self._line != self._written:
            self._write_line()

    def _write_line(self) -> None:
        self._written = self._line
        self._write(self._line)
        self._next = self._clock() + self._every_s


@contextmanager
def show_progress() -> Iterator[Display]:
    """Yield a display on standard error: a bar on a terminal, plain lines elsewhere."""
    display: Display
    if sys.stderr.isatty():
        from pipeline.cli.run.bar import Bar

        display = Bar()
    else:
        display = Lines()
    try:
        yield display
    finally:
        display.close()


def count_done(counts: Counts) -> int:
    """Return how many images have an outcome."""
    return counts.succeeded + counts.failed


def describe_stored(images: int) -> str:
    """Return ``storing the job: 150,000 images``."""
    return f"storing the job: {images:,} images"


def describe(counts: Counts, meter: Meter) -> str:
    """Return ``128/305 images, 3 failed, 152.3 images/s, 0:01 left``, as far as it is known."""
    parts = [f"{count_done(counts):,}/{counts.total:,} images", f"{counts.failed:,} failed"]
    if meter.rate is not None:
        parts.append(f"{meter.rate:,.1f} images/s")
    left = meter.seconds_left(counts.pending)
    if left:
        parts.append(f"{shown_duration(left)} left")
    return ", ".join(parts)


def shown_duration(seconds: float) -> str:
    """Return ``0:07``, ``12:30`` or ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rate(begin: tuple[float, int], end: tuple[float, int]) -> float | None:
    seconds, images = end[0] - begin[0], end[1] - begin[1]
    return images / seconds if seconds > 0 else None
