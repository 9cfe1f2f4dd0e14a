"""Refusals: what could not be made lately, and need not be tried again so soon."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from pipeline.failures import PictureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.records import Failure

#: How long a failure is remembered, in seconds, and how many are.
_KEPT_S = 60.0
_KEPT = 10_000


class Refusals:
    """Failures of the last minute, by key; for many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[float, Failure]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise the PictureError that was noted for this key, if that is not too long ago."""
        with self._lock:
            until, failure = self._failures.get(key, (0.0, None))
        if failure is not None and self._clock() < until:
            raise PictureError(failure.code, failure.message, failure.retry_after_s)

    def note(self, key: str, failure: Failure) -> None:
        """Remember a failure."""
        with self._lock:
            self._failures[key] = (self._clock() + _KEPT_S, failure)
            self._failures.move_to_end(key)
            while len(self._failures) > _KEPT:
                self._failures.popitem(last=False)
