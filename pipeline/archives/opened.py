"""An archive that is open: bytes at any place, and a version that changes with its content."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from pipeline.archives.broken import BrokenArchiveError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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
        super().__init__(_Raw(archive), archive.buffer_bytes)
        self._size = archive.size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes; raises BrokenArchiveError for more than there can be."""
        if size is None or size < 0:
            size = max(self._size - self.tell(), 0)
        if size > _LONGEST_READ:
            raise BrokenArchiveError("a header of it is longer than any")
        return super().read(size)


class _Raw(io.RawIOBase):
    def __init__(self, archive: Opened) -> None:
        super().__init__()
        self._archive = archive
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._archive.size}
        if starts[whence] + offset < 0:
            raise BrokenArchiveError("it points to a place before its beginning")
        self._position = starts[whence] + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._archive.read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
