"""A web server that is faster than its clients: the files of a folder, from memory, on loopback.

    python benchmarks/fast_host.py FOLDER    prints its port, and serves until it is killed

``/silent/...`` is never answered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path


class Host(asyncio.Protocol):
    """One connection."""

    answers: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._left = b""

    def data_received(self, data: bytes) -> None:
        self._left += data
        while (end := self._left.find(b"\r\n\r\n")) >= 0:
            path = self._left[:end].split(b" ", 2)[1]
            self._left = self._left[end + 4 :]
            if not path.startswith(b"/silent/"):
                self._transport.write(self.answers[path.rpartition(b"/")[2]])


async def serve(folder: Path) -> None:
    Host.answers = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n"
        Host.answers[path.name.encode()] = head.encode() + data
    server = await asyncio.get_running_loop().create_server(Host, "127.0.0.1", 0, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def fast_host(folder: Path) -> Iterator[int]:
    """Have such a server meanwhile, in a process of its own; yields its port."""
    words = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.kill()


def list_urls(folder: Path, port: int, count: int, host: str = "127.0.0.1") -> list[str]:
    """Return so many different addresses of the folder's files."""
    names = sorted(path.name for path in folder.iterdir())
    urls = (f"http://{host}:{port}/{n}/{name}" for n in range(count) for name in names)
    return list(islice(urls, count))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
