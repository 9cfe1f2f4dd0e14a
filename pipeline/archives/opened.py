"""An archive that is open: bytes at any place, and a version that changes with its content."""

from __future__ import annotations

import io
from typing import Protocol

from pipeline.archives.broken import BrokenArchiveError
from pipeline.fetch.ranges import RangeFile

#: A longer header is no header, but would have to be held in memory whole.
_LONGEST_READ = 2**27


class Opened(Protocol):
    """An archive in a file or a store; ``buffer_bytes``: read at once while it is listed."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def version(self) -> str:
        """Its modified time in ns, or its ETag."""

    @property
    def buffer_bytes(self) -> int:
        """How much is read at once while it is listed."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer only at its end."""

    def close(self) -> None:
        """Give back what it holds."""


class ArchiveReader(io.BufferedReader):
    """An open archive as a file; it reads no more at once than a sound archive needs."""

    def __init__(self, archive: Opened) -> None:
        super().__init__(_Raw(archive.size, archive.read_at), archive.buffer_bytes)
        self._size = archive.size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes; raises BrokenArchiveError for more than there can be."""
        if size is None or size < 0:
            size = max(self._size - self.tell(), 0)
        if size > _LONGEST_READ:
            raise BrokenArchiveError("a header of it is longer than any")
        return super().read(size)


class _Raw(RangeFile):
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if self._find_place(offset, whence) < 0:
            raise BrokenArchiveError("it points to a place before its beginning")
        return super().seek(offset, whence)
