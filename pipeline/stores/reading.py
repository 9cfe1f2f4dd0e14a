"""An object as a file that is read by pieces: for manifests, which are longer than an image."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pipeline.stores.opening import open_store
from pipeline.stores.schemes import parse_address

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from pipeline.fetch.limits import FetchLimits

#: Read by one request.
_PIECE = 2**20


def open_object(uri: str, limits: FetchLimits) -> io.BufferedReader:
    """Return an object as a seekable binary file; opening and reading raise PictureError."""
    return io.BufferedReader(_ObjectFile(uri, limits), _PIECE)


class _ObjectFile(io.RawIOBase):
    """The object as it was when it was opened; it raises if there is another in its place."""

    def __init__(self, uri: str, limits: FetchLimits) -> None:
        super().__init__()
        self._address = parse_address(uri, limits)
        self._store = open_store(self._address.scheme, limits)
        self._timeout_s = limits.timeout_s
        self._found = self._store.look_at(self._address, self._timeout_s)
        self._size = self._found.size or 0
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(starts[whence] + offset, 0)
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        end = min(self._position + len(view), self._size)
        version = self._found.version
        data = self._store.read_range(self._address, self._position, end, version, self._timeout_s)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
