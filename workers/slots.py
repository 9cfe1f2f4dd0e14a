"""Slots: what each loader process tells of itself, in memory that it shares with its parent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_SIZE = 4


class SlotState(NamedTuple):
    """The piece and the place in it of the image in work, since when (0: idle), and the last sign.

    Times are those of ``time.monotonic``, in seconds.
    """

    piece: float
    place: float
    since: float
    seen: float


class Slots:
    """One slot for each of ``processes``; ``array`` is shared, of doubles."""

    def __init__(self, context: Any, processes: int) -> None:
        self._array = context.RawArray("d", processes * _SIZE)

    def read(self) -> list[SlotState]:
        """Return what each process tells, in their order."""
        values = list(self._array)
        return [SlotState(*values[n : n + _SIZE]) for n in range(0, len(values), _SIZE)]

    @contextmanager
    def working(self, process: int, piece: int, place: int) -> Iterator[None]:
        """Tell meanwhile that this process has that image in work."""
        start = process * _SIZE
        # The time comes last: while it is 0, nobody believes the rest.
        self._array[start : start + 2] = [piece, place]
        self._array[start + 2] = time.monotonic()
        yield
        self._array[start + 3] = time.monotonic()
        self._array[start + 2] = 0
