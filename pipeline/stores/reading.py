"""An object as a file that is read by pieces: for manifests, which are longer than an image."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pipeline.fetch.ranges import RangeFile
from pipeline.stores.opening import open_store
from pipeline.stores.schemes import parse_address

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits

#: Read by one request.
_PIECE = 2**20


def open_object(uri: str, limits: FetchLimits) -> io.BufferedReader:
    """Return an object as a seekable binary file; opening and reading raise PictureError."""
    address = parse_address(uri, limits)
    store = open_store(address.scheme, limits)
    # The object as it was when it was opened: another in its place raises.
    found = store.look_at(address, limits.timeout_s)
    size = found.size or 0

    def read_at(offset: int, length: int) -> bytes:
        end = min(offset + length, size)
        return store.read_range(address, offset, end, found.version, limits.timeout_s)

    return io.BufferedReader(RangeFile(size, read_at), _PIECE)
