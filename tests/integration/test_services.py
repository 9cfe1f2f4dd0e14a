"""The servers of the tests live, die and come back as the tests rely on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer, copy_folder
from redis import Redis, exceptions
from redis_server import DATABASES, RedisServer
from waiting import wait_for

_TESTS = Path(__file__).parents[1]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_killed_redis_comes_back_on_its_port_with_its_data(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.lpush("queue", "a", "b")
        own_redis.settle()
        pid, url = own_redis.pid, own_redis.url
        own_redis.kill()
        assert not is_alive(pid)
        with pytest.raises(exceptions.ConnectionError):
            client.ping()
        own_redis.start()
        assert own_redis.url == url
        assert client.lrange("queue", 0, -1) == [b"b", b"a"]


def test_a_redis_without_persistence_comes_back_empty() -> None:
    with RedisServer() as server, server.client() as client:
        client.set("name", "value")
        server.restart()
        assert client.dbsize() == 0


def test_a_frozen_redis_keeps_its_connections_and_answers_when_it_thaws(
    own_redis: RedisServer,
) -> None:
    with own_redis.client(timeout_s=0.2) as client:
        client.ping()
        own_redis.freeze()
        with pytest.raises(exceptions.TimeoutError):
            client.set("name", "value")
        own_redis.thaw()
        with own_redis.client() as other:  # What came in the meantime was only waiting.
            wait_for(lambda: other.get("name") == b"value", 5, "the write")


def test_a_full_redis_refuses_and_evicts_nothing() -> None:
    with RedisServer(maxmemory="3mb") as server, server.client() as client:
        client.set("first", "value")
        with pytest.raises(exceptions.OutOfMemoryError):
            fill(client)
        assert client.get("first") == b"value"


def fill(client: Redis) -> None:
    for number in range(100):
        client.set(f"key {number}", bytes(100_000))


def test_a_redis_on_a_full_disk_refuses_until_there_is_room(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.set("name", "value")
        own_redis.fill_disk()
        wait_for(lambda: refuses_writes(client), 10, "a refusal")
        own_redis.empty_disk()
        wait_for(lambda: not refuses_writes(client), 10, "a write")
        client.set("name", "another")
        own_redis.settle()
        own_redis.restart()
        assert client.get("name") == b"another"


def refuses_writes(client: Redis) -> bool:
    try:
        client.set("probe", "value")
    except exceptions.ResponseError as error:
        return str(error).startswith("MISCONF")
    return False


def test_each_test_has_an_empty_redis_database(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> None:
    for number in range(DATABASES):
        with redis_server.client(number) as client:
            client.set("left", "over")
    with Redis.from_url(request.getfixturevalue("redis_url")) as client:
        assert client.dbsize() == 0


def test_a_server_that_does_not_start_says_why() -> None:
    server = RedisServer(maxmemory="much")
    with pytest.raises(AssertionError, match="argument must be a memory value"):
        server.start()
    server.stop()


def test_a_server_outlives_the_thread_that_started_it() -> None:
    with RedisServer() as server:
        thread = threading.Thread(target=server.restart)
        thread.start()
        thread.join()
        with server.client() as client:
            assert client.ping()


@pytest.fixture
def servers_of_a_process(
    postgres_folder: Path, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that started a server of each kind, and their processes."""
    folder = copy_folder(postgres_folder)
    script = f"""
import time
from pathlib import Path
from redis_server import RedisServer
from postgres_server import PostgresServer
servers = RedisServer(), PostgresServer(Path({str(folder)!r}))
for server in servers:
    server.start()
print(*(server.pid for server in servers), flush=True)
time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": str(_TESTS), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield process, [int(word) for word in process.stdout.readline().split()]
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)  # Its server may be about to leave.


def test_the_servers_die_with_the_process_that_started_them(
    servers_of_a_process: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, pids = servers_of_a_process
    assert [is_alive(pid) for pid in pids] == [True, True]
    process.kill()
    wait_for(lambda: not any(map(is_alive, pids)), 5, "the end of the servers")


def count_rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM numbers").fetchone()
        assert row is not None
        return int(row[0])


def test_a_postgres_that_restarts_immediately_keeps_what_was_committed(
    own_postgres: PostgresServer,
) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE numbers (number integer)")
        connection.execute("INSERT INTO numbers VALUES (1)")
        with connection.transaction():
            connection.execute("INSERT INTO numbers VALUES (2)")
            pid, url = own_postgres.pid, own_postgres.url
            own_postgres.restart_immediately()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("INSERT INTO numbers VALUES (3)")
    assert own_postgres.pid != pid
    assert own_postgres.url == url
    assert count_rows(url) == 1


def test_a_stopped_postgres_refuses_until_it_is_started(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE numbers (number integer)")
    own_postgres.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(own_postgres.url)
    own_postgres.start()
    assert count_rows(own_postgres.url) == 0


def test_own_servers_of_postgres_share_nothing_but_their_schema(
    own_postgres: PostgresServer,
) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        found = connection.execute("SELECT to_regclass('jobs'), to_regclass('numbers')").fetchone()
    assert found == ("jobs", None)
