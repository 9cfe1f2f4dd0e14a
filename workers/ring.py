"""The ring: shared memory through which loader processes hand pixels to their parent.

A tensor sent through a queue is a file that each side maps, with a handshake to pass it on: half a
millisecond. Here each process has a few places of its own and uses them in turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workers.geometry import CROP

#: Places of a process. DataLoader has two answers of each under way, and a third in hand.
_PLACES = 4
#: How long a process sleeps when, against that rule, none of its places is free, in seconds.
_NAP_S = 0.001

_BYTES = CROP * CROP * 3


class Handed(NamedTuple):
    """Where the pixels of ``images`` images lie: in the place of this process's turn."""

    process: int
    turn: int
    images: int


class Ring:
    """Room for ``_PLACES`` answers of up to ``images`` images from each of ``processes``."""

    def __init__(self, context: Any, processes: int, images: int) -> None:
        self._images = images
        # It lies in a temporary file where /dev/shm has no room: Docker gives 64 MB.
        self._memory = context.RawArray("B", processes * _PLACES * images * _BYTES)
        #: Turns of each process that the parent has taken.
        self._taken = context.RawArray("Q", processes)

    def write(self, process: int, turn: int, pixels: Sequence[Tensor]) -> Handed:
        """Lay down the pixels of at most ``images`` images, uint8 (224, 224, 3) each.

        Called in the process, with ``turn`` 0, 1, 2 and so on.
        """
        while turn - self._taken[process] >= _PLACES:
            time.sleep(_NAP_S)
        handed = Handed(process, turn, len(pixels))
        if pixels:
            torch.stack(list(pixels), out=self._find(handed))
        return handed

    def take(self, handed: Handed) -> Tensor:
        """Return a copy of what was handed over, uint8 (n, 224, 224, 3); its place is free then."""
        pixels = self._find(handed).clone()
        self._taken[handed.process] = handed.turn + 1
        return pixels

    def _find(self, handed: Handed) -> Tensor:
        place = handed.process * _PLACES + handed.turn % _PLACES
        start = place * self._images * _BYTES
        shape = (handed.images, CROP, CROP, 3)
        if not handed.images:
            return torch.empty(shape, dtype=torch.uint8)
        flat = torch.frombuffer(
            self._memory, dtype=torch.uint8, count=handed.images * _BYTES, offset=start
        )
        return flat.view(shape)
