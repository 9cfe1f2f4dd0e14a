"""A Redis server that tests may kill, freeze, fill up and start again."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, Literal

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_binary import get_redis_binary
from services import PATIENCE_S, Service
from waiting import wait_for

#: What of its data outlives it: all (an append-only file, synced every second), or nothing.
Persistence = Literal["aof", "none"]

#: As many as there may be tests that look at one without seeing each other's left-overs.
DATABASES = 64


class RedisServer(Service):
    """A Redis server on 127.0.0.1 that evicts nothing; ``with`` starts it, stops and deletes it.

    ``maxmemory`` as Redis writes it (``3mb``; ``0`` is no limit). Raises MissingServiceError when
    there is no ``redis-server``.
    """

    def __init__(self, persistence: Persistence = "none", maxmemory: str = "0") -> None:
        self._binary = get_redis_binary()
        super().__init__(Path(tempfile.mkdtemp(prefix="imagemill-redis-")))
        self._options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self.folder,
            "databases": DATABASES,
            "save": "",
            "appendonly": "yes" if persistence == "aof" else "no",
            "appendfsync": "everysec",
            "maxmemory": maxmemory,
            "maxmemory-policy": "noeviction",
        }

    @property
    def url(self) -> str:
        """The address of its database 0."""
        return self.url_at(self.port)

    def url_at(self, port: int, number: int = 0) -> str:
        """Return the address of a database by another port: that of a proxy."""
        return f"redis://127.0.0.1:{port}/{number}"

    def client(self, number: int = 0, timeout_s: float = 5) -> Redis:
        """Return a client of a database of it; it tries once, and waits ``timeout_s`` at most."""
        once = Retry(NoBackoff(), 0)
        return Redis("127.0.0.1", self.port, number, socket_timeout=timeout_s, retry=once)

    def start(self) -> None:
        """Start it, with the data that its folder holds; it answers when this returns."""
        words = [str(w) for name, value in self._options.items() for w in (f"--{name}", value)]
        self.launch([self._binary, *words], self._answers)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (exceptions.ConnectionError, exceptions.BusyLoadingError):
                return False

    def kill(self) -> None:
        """Kill it (SIGKILL); ``start`` brings it back, with its data if it keeps them.

        While the disk syncs, Redis answers first and writes up to two seconds later: ``settle``
        before, if all of it matters.
        """
        self.end(signal.SIGKILL)

    def settle(self) -> None:
        """Wait until all that it has answered is in its append-only file."""
        with self.client() as client:
            wait_for(lambda: _is_written(client.info("persistence")), PATIENCE_S, "the last write")

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the process in its tracks (SIGSTOP); its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Let the process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        """Let its files grow no further: a write to the append-only file fails from now on."""
        self._limit_files(0)

    def empty_disk(self) -> None:
        """Undo ``fill_disk``."""
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))

    def stop(self) -> None:
        """End it for good: its data are deleted."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _is_written(state: dict[str, Any]) -> bool:
    return not state["aof_buffer_length"] and not state["aof_pending_bio_fsync"]
