"""The servers of the storm: PostgreSQL, and Redis behind a proxy that breaks connections."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from postgres_server import PostgresServer, copy_folder, make_folder
from proxy import Proxy
from redis_server import RedisServer


class Servers:
    """Real servers for one storm; ``with`` starts them, and deletes their data in the end.

    ``postgres`` is the folder of a stopped, migrated server to copy; None: a new one is made.
    """

    def __init__(self, postgres: Path | None = None) -> None:
        self.redis = RedisServer("aof")
        self.proxy = Proxy("127.0.0.1", self.redis.port)
        self.postgres = PostgresServer(copy_folder(postgres) if postgres else make_folder())
        self._locks = {name: threading.Lock() for name in ("broker", "database", "producer")}
        self._open = ExitStack()

    @property
    def broker_url(self) -> str:
        """The address of Redis by the proxy."""
        return self.redis.url_at(self.proxy.port)

    def lock_of(self, fault: str) -> threading.Lock:
        """Return the lock of what a fault befalls: one at a time does."""
        return self._locks[fault.partition("-")[0]]

    def __enter__(self) -> Servers:
        for one in (self.redis, self.proxy, self.postgres):
            self._open.enter_context(one)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
