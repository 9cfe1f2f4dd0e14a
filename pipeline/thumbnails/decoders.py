"""The drawing processes of one server: few, and as many pictures wait as threads ask."""

from __future__ import annotations

import os
import queue

from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.thumbnails.decoder import Decoder

#: How long a picture waits for a process that is free, in seconds.
_PATIENCE_S = 10.0
_MOST = 4


class Decoders:
    """Draws for many threads; a process is started when the others are at work."""

    def __init__(self, side: int, max_pixels: int) -> None:
        count = max(1, min(_MOST, (os.cpu_count() or 1) // 2))
        self._all = [Decoder(side, max_pixels) for _ in range(count)]
        # The last one that was used goes first: the others need not even start.
        self._idle: queue.LifoQueue[Decoder] = queue.LifoQueue()
        for decoder in self._all:
            self._idle.put(decoder)

    def draw(self, data: bytes) -> bytes:
        """Return the thumbnail of a picture. Raises PictureError."""
        try:
            decoder = self._idle.get(timeout=_PATIENCE_S)
        except queue.Empty:
            message = f"the pictures before it took longer than {_PATIENCE_S:g} s"
            raise PictureError(FailureCode.TIMEOUT, message) from None
        try:
            return decoder.draw(data)
        finally:
            self._idle.put(decoder)

    def close(self) -> None:
        """End the processes, whatever they do."""
        for decoder in self._all:
            decoder.end()
        for decoder in [self._idle.get() for _ in self._all]:
            decoder.bury()
            self._idle.put(decoder)
