"""A file of which any range can be read, wherever it lies."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer


class RangeFile(io.RawIOBase):
    """``size`` bytes as a seekable file; ``read_at(offset, length)`` gives fewer at the end."""

    def __init__(self, size: int, read_at: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._read_at = read_at
        self._position = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any place of it can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, its beginning at least."""
        self._position = max(self._find_place(offset, whence), 0)
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read on; raises what ``read_at`` raises."""
        view = memoryview(buffer)
        data = self._read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _find_place(self, offset: int, whence: int) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        return starts[whence] + offset
