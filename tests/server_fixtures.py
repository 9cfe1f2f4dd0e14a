"""The servers that tests share, and those that a test has for itself, to break them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from postgres_server import PostgresServer, copy_folder, make_folder
from redis import Redis
from redis_server import DATABASES, RedisServer

_OTHER_REDIS = os.environ.get("IMAGEMILL_TEST_REDIS_URL")
_numbers = count()


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """The data of a stopped PostgreSQL server that others are copied from."""
    folder = make_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def own_postgres(postgres_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL server that the test alone has, and may restart; migrated, and empty."""
    with PostgresServer(copy_folder(postgres_folder)) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis server that all tests share; it keeps nothing on the disk."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty Redis database: of our server, or a given one."""
    url = _OTHER_REDIS
    if not url:
        server: RedisServer = request.getfixturevalue("redis_server")
        url = server.url_at(server.port, next(_numbers) % DATABASES)
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server that the test alone has, and may kill; it keeps its data."""
    with RedisServer("aof") as server:
        yield server
