"""Streams: what is written in one thread, sent in pieces as fast as the client takes them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import BinaryIO

#: Bytes that are sent at once, and pieces that wait for a slow client.
_PIECE, _AHEAD = 2**16, 4


async def pieces(write: Callable[[BinaryIO], object]) -> AsyncIterator[bytes]:
    """Yield what ``write`` writes to the file that it is given; it runs in a thread of its own.

    What it raises goes out. A client that leaves ends it at its next piece: BrokenPipeError.
    """
    pipe = _Pipe(asyncio.get_running_loop())
    thread = threading.Thread(target=_run, args=(write, pipe), name="export", daemon=True)
    thread.start()
    try:
        while (piece := await pipe.queue.get()) is not None:
            yield piece
        if pipe.error:
            raise pipe.error
    finally:
        pipe.leave()


def _run(write: Callable[[BinaryIO], object], pipe: _Pipe) -> None:
    with suppress(BrokenPipeError):
        try:
            write(cast("BinaryIO", pipe))
        except BrokenPipeError:
            raise
        except Exception as error:
            pipe.error = error
        pipe.end()


class _Pipe:
    """The file that is written to, in one thread, and the pieces of it that the loop takes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self.error: Exception | None = None
        self._loop = loop
        self._buffer = bytearray()
        self._left = False
        self._putting: asyncio.Task[Any] | None = None

    def write(self, data: bytes) -> int:
        self._buffer += data
        if len(self._buffer) >= _PIECE:
            self._send(bytes(self._buffer))
            self._buffer.clear()
        return len(data)

    def flush(self) -> None:
        """Nothing is sent before it is a piece, or the end."""

    def end(self) -> None:
        """Send what is left, and that there is no more."""
        if self._buffer:
            self._send(bytes(self._buffer))
        self._send(None)

    def leave(self) -> None:
        """Take no more; called in the event loop."""
        self._left = True
        if self._putting:
            self._putting.cancel()

    def _send(self, piece: bytes | None) -> None:
        """Wait until there is room for a piece; called in the thread that writes."""
        putting = self._put(piece)
        try:
            asyncio.run_coroutine_threadsafe(putting, self._loop).result()
        except CancelledError:
            raise BrokenPipeError from None
        except RuntimeError:  # The loop has ended.
            putting.close()
            raise BrokenPipeError from None

    async def _put(self, piece: bytes | None) -> None:
        if self._left:
            raise BrokenPipeError
        self._putting = asyncio.current_task()
        await self.queue.put(piece)
        self._putting = None
