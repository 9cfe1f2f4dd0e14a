"""Thumbnails of references: from the cache, or read, drawn in another process, and kept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.thumbnails.cache import Cache
from pipeline.thumbnails.decoders import Decoders
from pipeline.thumbnails.once import Once
from pipeline.thumbnails.reading import Reader
from pipeline.thumbnails.refusals import Refusals
from pipeline.thumbnails.versions import find_version

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.fetch.limits import FetchLimits


class Thumbnails:
    """Makes and keeps thumbnails, for many threads at the same time.

    At most ``limit_bytes`` are kept in ``folder`` (0: nothing is). ``side``: the longest side of a
    thumbnail, in pixels. Raises UsageError for an outgoing policy that cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        limits: FetchLimits,
        max_pixels: int,
        side: int = 320,
    ) -> None:
        OutgoingPolicy.of(limits)
        self._limits = limits
        self._side = side
        self._cache = Cache(folder, limit_bytes)
        self._refusals = Refusals()
        self._once = Once()
        self._reader = Reader(limits)
        self._decoders = Decoders(side, max_pixels)

    def get(self, uri: str) -> bytes:
        """Return a picture's first frame as a JPEG: upright, RGB, no metadata, never enlarged.

        It takes as long as the download (10 s at most) and the drawing (8 s) do. What cannot be
        made is not tried again for a minute. Raises PictureError.
        """
        # Before the cache: a file that has left the roots, or is locked by now, is not shown.
        key = self._make_key(uri)
        self._refusals.check(key)
        return self._cache.find(key) or self._once.do(key, lambda: self._make(uri, key))

    def close(self) -> None:
        """End the processes and the downloads; who still waits gets a PictureError."""
        self._decoders.close()
        self._reader.close()

    def _make_key(self, uri: str) -> str:
        words = f"{self._side}\n{find_version(uri, self._limits)}\n{uri}"
        return hashlib.sha256(words.encode("utf-8", "backslashreplace")).hexdigest()

    def _make(self, uri: str, key: str) -> bytes:
        # Another thread may have made it since this one looked.
        if found := self._cache.find(key):
            return found
        try:
            made = self._decoders.draw(self._reader.read(uri))
        except PictureError as error:
            self._refusals.note(key, error.failure)
            raise
        self._cache.keep(key, made)
        return made
