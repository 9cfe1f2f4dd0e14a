"""Pacing: so many requests a second of each client, and a burst now and then."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from pipeline.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

#: Requests that a client may make at once are those of so many seconds.
_BURST_S = 4.0
#: Clients that are remembered; whoever is forgotten has a full bucket again.
_CLIENTS = 10_000


class Buckets:
    """A bucket of tokens for each client; belongs to one event loop."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * _BURST_S)
        self._clock = clock
        #: What is left for each client, and when that was so; the last to come is the last here.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request of a client. Raises Problem (429) for one too many."""
        now = self._clock()
        left, since = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_s)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left, now)
        while len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        if not allowed:
            wait_s = max(1, round((1.0 - left) / self._per_s + 0.5))
            raise Problem(
                429,
                "too_many_requests",
                f"more than {self._per_s:g} requests a second; wait {wait_s} s, or ask the "
                "operator to raise IMAGEMILL_REQUESTS_PER_S",
                {"Retry-After": str(wait_s)},
            )
