"""The body of a web server's answer, read with limits on its bytes and on its pace."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from aiohttp import ClientResponse

#: What comes slower than this, in bytes a second, after so many seconds, has no end.
_SLOWEST, _GRACE_S = 1024, 5.0
#: A body may grow beyond this while few others do: so many bytes for each download at most.
_LARGE = 2 * 2**20
_LARGE_ONES = 4
#: window bits for zlib: gzip's header or zlib's.
_ANY_WRAPPER = 32 + zlib.MAX_WBITS


class Bodies:
    """Reads bodies; keeps the memory of all those of one event loop in bounds."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._large = asyncio.Semaphore(_LARGE_ONES)

    async def read(self, response: ClientResponse) -> bytes:
        """Return a body, unpacked if the server packed it against our will.

        Raises PictureError: too_large, timeout (it trickles), truncated.
        """
        self._check_size(response.content_length or 0)
        data = await self._read(response)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            return self._unpack(data)
        return data

    async def _read(self, response: ClientResponse) -> bytes:
        data = bytearray()
        started = time.monotonic()
        pieces = response.content.iter_any()
        async for piece in pieces:
            data += piece
            self._check_size(len(data))
            _check_pace(len(data), time.monotonic() - started)
            if len(data) > _LARGE:
                break
        else:
            return bytes(data)
        async with self._large:
            async for piece in pieces:
                data += piece
                self._check_size(len(data))
        return bytes(data)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            message = f"it is larger than {self._max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
            raise PictureError(FailureCode.TOO_LARGE, message)

    def _unpack(self, data: bytes) -> bytes:
        unpacker = zlib.decompressobj(_ANY_WRAPPER)
        try:
            # One byte more than allowed, and never the whole of a bomb.
            unpacked = unpacker.decompress(data, self._max_bytes + 1)
        except zlib.error:
            message = "the server says that it is compressed, and it is not"
            raise PictureError(FailureCode.DECODE_ERROR, message) from None
        self._check_size(len(unpacked))
        if not unpacker.eof:
            raise PictureError(FailureCode.TRUNCATED, "its compressed bytes have no end")
        return unpacked


def _check_pace(size: int, seconds: float) -> None:
    if seconds > _GRACE_S and size < _SLOWEST * seconds:
        raise PictureError(FailureCode.TIMEOUT, "the server sends it too slowly")
