"""A proxy that breaks connections as networks do; it stands before Redis or PostgreSQL."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any

from services import find_free_port

#: Closes a socket by RST: its peer sees a reset, and no end.
_NO_LINGER = struct.pack("ii", 1, 0)

#: Bytes that are carried at once.
_PIECE = 1 << 16

_Streams = tuple[StreamReader, StreamWriter]


class Proxy:
    """Listens on ``port`` of 127.0.0.1 for a server; passes everything until told otherwise.

    The server is at ``host`` and ``port``, or behind the Unix socket ``host``, an absolute path.
    """

    def __init__(self, host: str, port: int = 0) -> None:
        self.port = find_free_port()
        self._server_address = (host, port)
        self._links: set[_Link] = set()
        self._swallows_new = False
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.heal()

    @property
    def connections(self) -> int:
        """How many connections there are, those in a hole included until both sides have left."""
        return len(self._links)

    def heal(self) -> None:
        """Pass new connections; those in a hole stay there, as half of their bytes are gone."""
        self._do(self._heal())

    def hole(self, new_pass: bool = True) -> None:
        """Swallow all that comes on the connections there are; no side hears of the other's end.

        New connections pass, or are accepted and swallowed too.
        """
        self._do(self._hole(new_pass))

    def reset(self) -> None:
        """Break all connections by RST, on both sides; new ones fare as before."""
        self._do(self._reset())

    def refuse(self) -> None:
        """Refuse new connections until ``heal``; those there are live on."""
        self._do(self._refuse())

    def close(self) -> None:
        """Break everything and end the proxy."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _heal(self) -> None:
        self._swallows_new = False
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listener.setblocking(False)
            # Not asyncio's own server: it trips over a connection that comes as it is closed.
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # Who knocked may be gone.
            link = _Link(listener.accept()[0], self._swallows_new)
            self._links.add(link)
            link.task = self._loop.create_task(self._carry(link))

    async def _hole(self, new_pass: bool) -> None:
        self._swallows_new = not new_pass
        for link in self._links:
            link.swallowed = True

    async def _reset(self) -> None:
        for link in self._links:
            link.reset()

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _end(self) -> None:
        await self._refuse()
        while tasks := [link.task for link in self._links if link.task]:
            await self._reset()
            # Again, as one may have been about to connect.
            await asyncio.wait(tasks, timeout=0.01)

    async def _carry(self, link: _Link) -> None:
        try:
            await link.carry(*self._server_address)
        finally:
            link.reset()
            self._links.discard(link)


class _Link:
    """One connection: its two sides, and whether it is in a hole."""

    def __init__(self, client: socket.socket, swallowed: bool) -> None:
        self.swallowed = swallowed
        self.task: asyncio.Task[None] | None = None
        self._client = client
        self._writers: list[StreamWriter] = []

    async def carry(self, host: str, port: int) -> None:
        """Carry bytes between the client and the server until both sides are closed."""
        requests, to_client = await self._open(asyncio.open_connection(sock=self._client))
        if self.swallowed:
            await self._pump(requests, to_client)  # The server never hears of it.
            return
        with suppress(OSError):
            answers, to_server = await self._open(_connect(host, port))
            await asyncio.gather(self._pump(requests, to_server), self._pump(answers, to_client))

    async def _open(self, connecting: Awaitable[_Streams]) -> _Streams:
        streams = await connecting
        self._writers.append(streams[1])
        return streams

    async def _pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if not self.swallowed:
                    writer.write(piece)
                    await writer.drain()
        if not self.swallowed:
            writer.close()

    def reset(self) -> None:
        """Break both sides by RST, unless they are closed."""
        for writer in self._writers:
            with suppress(OSError):
                end: socket.socket = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()


async def _connect(host: str, port: int) -> _Streams:
    if host.startswith("/"):
        return await asyncio.open_unix_connection(host)
    return await asyncio.open_connection(host, port)
