"""The seam between decode and resize, which the product itself has no use for.

The only place that calls the private parts of ``workers.decode``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from pipeline.pictures.pictures import load_picture, open_picture
from pipeline.records import Precision
from workers import decode


class Parts(NamedTuple):
    """Seconds of CPU of this process: the bytes to RGB, and RGB to the model's pixels."""

    decode_s: float
    resize_s: float


def time_parts(
    data: bytes,
    precision: Precision,
    max_pixels: int,
    clock: Callable[[], float] = time.process_time,
) -> Parts:
    """Decode one image as ``workers.decode.decode`` does, and time its two parts.

    Raises what ``decode`` raises.
    """
    started = clock()
    with open_picture(data, max_pixels) as picture:
        if precision is Precision.EXACT:
            load_picture(picture)
            decoded = clock()
            decode._like_the_source(picture)
        else:
            side = decode._SCALED_SIDE[precision]
            stored = decode._read_stored(data, picture, side)
            decoded = clock()
            decode._crop(decode._turned(decode._resize(stored), stored.orientation))
        return Parts(decoded - started, clock() - decoded)
