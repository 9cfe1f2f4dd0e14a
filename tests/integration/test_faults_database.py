"""A database that restarts, is locked or has no room: what is in hand waits for it, and is stored.

F9 to F11 of docs/reliability.md, and what a worker says of a database or a broker that it cannot
start with.
"""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import psycopg
import pytest
from cluster import NOBODY, Cluster
from cluster_fixtures import MakeCluster
from cluster_worker import Worker
from postgres_server import PostgresServer
from programs import PATIENCE_S
from redis_server import RedisServer
from sqlalchemy import make_url
from waiting import wait_for

_HURRY = {"LEASE_S": "30", "TEST_HURRY": "1"}
_CHUNKS = 16


def test_a_server_that_restarts_in_the_middle_of_commits(
    make_cluster: MakeCluster, own_postgres: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    cluster = make_cluster(own_postgres.url, redis_url)
    point = {"TEST_FAILPOINT": "within the finish", "TEST_FAILURE": "stop", "TEST_TIMES": "3"}
    worker = cluster.start("failing_app", LEASE_S="60", **point, TEST_MARKS=str(tmp_path))
    job = cluster.submit(*(f"/sleep-0.1/{n}" for n in range(20)), chunk_size=1)
    for number in range(3):
        wait_for((tmp_path / f"failed-{number}").exists, PATIENCE_S, "a worker frozen in a commit")
        own_postgres.restart_immediately()
        worker.program.thaw()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 20
    assert {chunk["lost"] for chunk in cluster.chunks(job)} == {0}
    wait_for(worker.is_ready, PATIENCE_S, "a worker that is well again")
    cluster.wait_until_broker_is_empty()


def begin(cluster: Cluster, **settings: str) -> tuple[Worker, int]:
    """Start an impatient worker, and a job of chunks that take a fifth of a second each."""
    worker = cluster.start("failing_app", **_HURRY, **settings).wait_until_ready()
    one = ["/sleep-0.2", *(f"/{n}" for n in range(99))]
    job = cluster.submit(*one * _CHUNKS, chunk_size=len(one))
    cluster.wait_until_running(job)
    return worker, job


def suffer(cluster: Cluster, worker: Worker, job: int, words: str) -> None:
    """Wait until the worker complains, and see that it gets nothing done."""
    wait_for(lambda: words in worker.trouble(), PATIENCE_S, f"{words!r}")
    done = cluster.count_chunks(job, "done")
    assert done < _CHUNKS
    worker.wait_for_metric("worker_problem", 1, "database")
    assert cluster.count_chunks(job, "done") == done


def recover(cluster: Cluster, worker: Worker, job: int) -> None:
    """See the job and the worker through: nothing was lost, and it is well again."""
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 100 * _CHUNKS
    assert {chunk["lost"] for chunk in cluster.chunks(job)} == {0}
    wait_for(worker.is_ready, PATIENCE_S, "a worker that is well again")


def test_a_file_that_another_program_locks(
    make_cluster: MakeCluster, sqlite_url: str, redis_url: str
) -> None:
    cluster = make_cluster(sqlite_url, redis_url)
    worker, job = begin(cluster)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    suffer(cluster, worker, job, "is locked by another program")
    other.execute("ROLLBACK")
    other.close()
    recover(cluster, worker, job)


def test_a_disk_that_is_full(
    make_cluster: MakeCluster, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    cluster, full = make_cluster(sqlite_url, redis_url), tmp_path / "full"
    worker, job = begin(cluster, TEST_FULL_DISK=str(full))
    full.touch()
    suffer(cluster, worker, job, "is full; make room")
    full.unlink()
    recover(cluster, worker, job)


def test_files_that_may_not_grow(
    make_cluster: MakeCluster, sqlite_url: str, redis_url: str
) -> None:
    cluster = make_cluster(sqlite_url, redis_url)
    worker, job = begin(cluster)
    _, hard = resource.prlimit(worker.program.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.program.pid, resource.RLIMIT_FSIZE, (0, hard))
    suffer(cluster, worker, job, "disk I/O error")
    resource.prlimit(worker.program.pid, resource.RLIMIT_FSIZE, (hard, hard))
    recover(cluster, worker, job)


#: Addresses of a database and a broker that no worker can start with; None: a good one.
_REFUSED = {
    "postgresql://me:hush@127.0.0.1:1/x": "cannot be reached",
    "redis://:hush@127.0.0.1:1/0": "does not take it",
    "amqp://me:hush@127.0.0.1/x": "a broker is redis://HOST:PORT/NUMBER",
}


def refuse(worker: Worker, words: str) -> None:
    """Wait for the end of a worker that cannot start: one sentence, and no secret."""
    assert worker.program.wait() == 2
    said = worker.program.said()
    (sentence,) = [line for line in said.splitlines() if line.startswith("imagemill: ")]
    assert words in sentence
    assert "hush" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("address", "words"), _REFUSED.items())
def test_an_address_that_cannot_work(
    make_cluster: MakeCluster, sqlite_url: str, redis_url: str, address: str, words: str
) -> None:
    cluster = make_cluster(sqlite_url, redis_url)
    name = "DATABASE_URL" if address.startswith("postgresql") else "BROKER_URL"
    refuse(cluster.start("workers.app", **{name: address}), words)


def test_a_password_that_the_broker_does_not_take(
    make_cluster: MakeCluster, sqlite_url: str, own_redis: RedisServer
) -> None:
    with own_redis.client() as client:
        client.config_set("requirepass", "another")
    cluster = make_cluster(sqlite_url, NOBODY)
    address = own_redis.url.replace("redis://", "redis://:hush@")
    refuse(cluster.start("workers.app", BROKER_URL=address), "invalid username-password pair")


@pytest.fixture(params=["role", "older"])
def refused(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The address of a server's database that cannot be worked with, and what is said of it."""
    if request.param == "role":
        url = make_url(request.getfixturevalue("postgres_url"))
        url = url.set(username="nobody", password="hush")
        return url.render_as_string(hide_password=False), "nobody"
    server: PostgresServer = request.getfixturevalue("own_postgres")
    with psycopg.connect(server.url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    return server.url, "has an older schema; run `imagemill db upgrade`"


def test_a_database_that_cannot_be_worked_with(
    make_cluster: MakeCluster, sqlite_url: str, redis_url: str, refused: tuple[str, str]
) -> None:
    address, words = refused
    cluster = make_cluster(sqlite_url, redis_url)
    refuse(cluster.start("workers.app", DATABASE_URL=address), words)
