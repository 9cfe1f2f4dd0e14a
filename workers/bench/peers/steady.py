"""The steady rate of a peer whose start-up cannot be told from its work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

#: The pictures that warm it up, and the share of them in the small run.
_WARM = 16
_SMALL = 5


def steady_rate(run: Callable[[Sequence[str]], int], pictures: Sequence[str]) -> float:
    """Return the images/s between a small and a large run: the start-up is in both.

    ``run`` classifies pictures and returns their number. Its first run, which also starts what
    later ones use again, does not count. Raises ValueError when one lost a picture, or there are
    too few pictures to tell.
    """
    _time(run, pictures[:_WARM])
    few = pictures[::_SMALL]
    small_s, large_s = _time(run, few), _time(run, pictures)
    if large_s <= small_s:
        raise ValueError(f"{len(pictures)} pictures are too few to tell its start-up from its work")
    return (len(pictures) - len(few)) / (large_s - small_s)


def _time(run: Callable[[Sequence[str]], int], pictures: Sequence[str]) -> float:
    started = time.perf_counter()
    found = run(pictures)
    if found != len(pictures):
        raise ValueError(f"it answered {found} of {len(pictures)} pictures")
    return time.perf_counter() - started
