"""A web server with every bad habit, each at a path of its own; on loopback, in a thread."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

Habit = Callable[["BadHost", Any], Awaitable[None]]

#: 200 MB of zeros in 200 KB.
_BOMB = gzip.compress(bytes(200 * 2**20), 1)


def head(status: str = "200 OK", **fields: object) -> bytes:
    """Return the head of an answer; ``Content_Length=3`` is the field Content-Length."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


class BadHost:
    """Serves until closed; ``picture`` is what good answers hold."""

    def __init__(self, picture: bytes, address: str = "127.0.0.1") -> None:
        self.picture = picture
        self.asked: Counter[str] = Counter()
        self.headers: list[str] = []
        self.target = ""
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{self._address}:{self.port}/{path}"

    def close(self) -> None:
        """Break every connection off."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._answer, self._address, 0, backlog=1000)

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, reader: Reader, writer: Writer) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1].decode()
                self.asked[path] += 1
                self.headers.append(request.decode())
                name = path.lstrip("/").split("?")[0].split("/")[0]
                habit = HABITS.get(name, _missing)
                self.target = unquote(path.partition("?")[2])
                await habit(self, _HeadOnly(writer) if request.startswith(b"HEAD") else writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class _HeadOnly:
    """Writes no body."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def write(self, answer: bytes) -> None:
        self._writer.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")


async def _good(host: BadHost, writer: Writer) -> None:
    fields = {"ETag": '"one"', "Content_Type": "image/jpeg"}
    writer.write(head(Content_Length=len(host.picture), **fields) + host.picture)


async def _dated(host: BadHost, writer: Writer) -> None:
    moment = "Wed, 21 Oct 2026 07:28:00 GMT"
    writer.write(head(Content_Length=len(host.picture), Last_Modified=moment) + host.picture)


async def _chunked(host: BadHost, writer: Writer) -> None:
    writer.write(head(Transfer_Encoding="chunked"))
    for start in range(0, len(host.picture), 1000):
        piece = host.picture[start : start + 1000]
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    writer.write(b"0\r\n\r\n")


async def _lies(host: BadHost, writer: Writer) -> None:
    fields = {"Content_Type": "text/html"}
    writer.write(head(Content_Length=len(host.picture), **fields) + host.picture)


async def _html(_: BadHost, writer: Writer) -> None:
    page = b"<html>Please log in</html>"
    writer.write(head(Content_Length=len(page), Content_Type="image/jpeg") + page)


async def _packed(host: BadHost, writer: Writer) -> None:
    body = gzip.compress(host.picture)
    writer.write(head(Content_Length=len(body), Content_Encoding="gzip") + body)


async def _bomb(_: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=len(_BOMB), Content_Encoding="gzip") + _BOMB)


async def _trickle(_: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=100_000))
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def _endless(_: BadHost, writer: Writer) -> None:
    writer.write(head())
    while True:
        writer.write(bytes(2**16))
        await writer.drain()


async def _huge(_: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=2**30))
    while True:
        writer.write(bytes(2**16))
        await writer.drain()


async def _endless_head(_: BadHost, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def _silent(_: BadHost, writer: Writer) -> None:
    await asyncio.sleep(3600)


async def _half(host: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=len(host.picture)) + host.picture[:100])
    await asyncio.sleep(3600)


async def _reset(host: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=len(host.picture)) + host.picture[:100])
    await writer.drain()
    await asyncio.sleep(0.1)
    own: socket.socket = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _short(host: BadHost, writer: Writer) -> None:
    writer.write(head(Content_Length=len(host.picture)) + host.picture[:100])
    await writer.drain()
    writer.close()


async def _garbage(_: BadHost, writer: Writer) -> None:
    writer.write(b"220 this is no web server\r\n\r\n")


async def _to(host: BadHost, writer: Writer) -> None:
    writer.write(head("302 Found", Content_Length=0, Location=host.target))


def _status(status: str, **fields: object) -> Habit:
    async def answer(_: BadHost, writer: Writer) -> None:
        writer.write(head(status, Content_Length=0, **fields))

    return answer


_missing = _status("404 Not Found")
HABITS: dict[str, Habit] = {
    "good": _good, "dated": _dated, "chunked": _chunked, "lies": _lies, "html": _html,
    "packed": _packed, "bomb": _bomb, "trickle": _trickle, "endless": _endless, "huge": _huge,
    "endless_head": _endless_head, "silent": _silent, "half": _half, "reset": _reset,
    "short": _short, "garbage": _garbage,
    "to": _to,
    "empty": _status("200 OK"),
    "gone": _status("410 Gone"),
    "broken": _status("500 Internal Server Error"),
    "busy": _status("429 Too Many Requests", Retry_After=7),
    "resting": _status("503 Service Unavailable", Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "unavailable": _status("503 Service Unavailable"),
    "late": _status("408 Request Timeout"),
    "moved": _status("302 Found", Location="/good"),
    "loop": _status("302 Found", Location="/loop"),
    "nowhere": _status("302 Found"),
    "elsewhere": _status("302 Found", Location="ftp://127.0.0.1/a.jpg"),
    "inside": _status("302 Found", Location="http://10.0.0.1/a.jpg"),
    "metadata": _status("307 Temporary Redirect", Location="http://169.254.169.254/latest"),
    "named": _status("301 Moved Permanently", Location="http://user:pass@127.0.0.1/a.jpg"),
}  # fmt: skip


@contextmanager
def bad_host(picture: bytes, address: str = "127.0.0.1") -> Iterator[BadHost]:
    """Have such a server meanwhile."""
    host = BadHost(picture, address)
    try:
        yield host
    finally:
        host.close()
