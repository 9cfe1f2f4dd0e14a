"""Sizes: how many images the batches of a GPU have, so that few graphs are captured."""

from __future__ import annotations

from typing import NamedTuple

#: A batch is padded up to one of these; a cap (``max_batch``) that is one of them wastes nothing.
SIZES = (1, 8, 32, 64, 128, 256, 512)


class Part(NamedTuple):
    """Images ``start`` to ``stop`` of a batch, to be padded up to ``size``."""

    start: int
    stop: int
    size: int


def cut(count: int, largest: int) -> list[Part]:
    """Cut a batch of ``count`` images into parts of at most ``largest``, which is one of SIZES."""
    starts = range(0, count, largest)
    bounds = [(start, min(start + largest, count)) for start in starts]
    return [Part(start, stop, _size_above(stop - start)) for start, stop in bounds]


def size_below(size: int) -> int:
    """Return the next smaller size; the smallest has none below it, and is returned itself."""
    return max((each for each in SIZES if each < size), default=SIZES[0])


def _size_above(count: int) -> int:
    return min(size for size in SIZES if size >= count)
