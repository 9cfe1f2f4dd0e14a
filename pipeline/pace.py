"""The pace of looks that cost something: often, but never for much of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A look takes this share of the time at most.
_SHARE = 0.05
#: Looks are at least this far apart, in seconds.
_EVERY_S = 0.5


class Pace:
    """Says when the next look is due; a look that took long is followed by a long pause."""

    def __init__(
        self,
        every_s: float = _EVERY_S,
        share: float = _SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every_s = every_s
        self._share = share
        self._clock = clock
        self._next = clock()

    @property
    def pause_s(self) -> float:
        """Return in how many seconds the next look is due; 0: now."""
        return max(0.0, self._next - self._clock())

    @contextmanager
    def look(self) -> Iterator[None]:
        """Measure a look, also one that fails, and put off the next one accordingly."""
        started = self._clock()
        try:
            yield
        finally:
            now = self._clock()
            self._next = now + max(self._every_s, (now - started) / self._share)
