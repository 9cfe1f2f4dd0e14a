"""A broker that forgets, dies, freezes, is full or out of reach: every job ends all the same.

F2 to F8 and F12 of docs/reliability.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from cluster import Cluster
from cluster_fixtures import MakeCluster
from cluster_worker import Worker
from programs import PATIENCE_S
from proxy import Proxy
from redis import Redis, ResponseError
from redis_server import RedisServer
from waiting import wait_for

from pipeline.broker import QUEUES
from pipeline.records import Priority

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_BULK = QUEUES[Priority.BULK]
#: A lease that nobody loses by mere slowness, in seconds.
_SAFE_S = "30"


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """A proxy in front of the test's own Redis."""
    with Proxy("127.0.0.1", own_redis.port) as made:
        yield made


@pytest.fixture
def cut_off(
    make_cluster: MakeCluster, database_url: str, own_redis: RedisServer, proxy: Proxy
) -> Cluster:
    """A cluster whose workers reach the broker through the proxy alone."""
    return make_cluster(database_url, own_redis.url_at(proxy.port))


def begin(cluster: Cluster, images: int = 24, **settings: str) -> tuple[Worker, int]:
    """Start a worker, and a job of chunks of one image and a fifth of a second."""
    worker = cluster.start("failing_app", LEASE_S=_SAFE_S, TEST_SOCKET_S="1", **settings)
    worker.wait_until_ready()
    job = cluster.submit(*(f"/sleep-0.2/{n}" for n in range(images)), chunk_size=1)
    cluster.wait_until_running(job)
    return worker, job


def end(cluster: Cluster, worker: Worker, job: int) -> None:
    """See the job and the worker through: nothing was lost, and it is well again."""
    cluster.wait_until_done(job)
    counts = cluster.check(job)
    assert counts.succeeded == counts.total
    assert {chunk["lost"] for chunk in cluster.chunks(job)} == {0}
    wait_for(worker.is_ready, PATIENCE_S, "a worker that is well again")


def test_a_message_that_the_broker_lost_is_sent_again(cluster: Cluster) -> None:
    job = cluster.submit("/1", "/2", chunk_size=1)
    with Redis.from_url(cluster.broker) as client:
        assert client.rpop(_BULK)
    worker = cluster.start().wait_until_ready()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 2
    # On a busy machine the one that was not lost is overdue, too.
    wait_for(lambda: worker.metric("chunks_resent_total") >= 1, 60, "a chunk that is sent again")


def test_a_broker_that_forgot_everything_hears_it_again(cluster: Cluster) -> None:
    worker, job = begin(cluster)
    with Redis.from_url(cluster.broker) as client:
        client.flushdb()
    end(cluster, worker, job)
    assert worker.metric("chunks_resent_total") >= 1
    cluster.wait_until_broker_is_empty()


@pytest.mark.parametrize("persistence", ["aof", "none"])
def test_a_broker_that_was_killed_and_comes_back(
    make_cluster: MakeCluster, database_url: str, persistence: str
) -> None:
    with RedisServer(persistence) as redis:  # type: ignore[arg-type]
        cluster = make_cluster(database_url, redis.url)
        worker, job = begin(cluster)
        redis.kill()
        wait_for(lambda: "broker" in worker.trouble(), PATIENCE_S, "the worker's complaint")
        redis.start()
        end(cluster, worker, job)
        cluster.wait_until_queues_are_empty()


def test_a_half_open_connection_is_noticed_and_what_went_into_it_comes_again(
    cut_off: Cluster, proxy: Proxy
) -> None:
    worker, job = begin(cut_off)
    proxy.hole()
    end(cut_off, worker, job)
    cut_off.wait_until_queues_are_empty()


def test_a_storm_of_resets_doubles_nothing(
    cut_off: Cluster, proxy: Proxy, own_redis: RedisServer
) -> None:
    worker, job = begin(cut_off)
    with own_redis.client() as client:
        for _ in range(6):
            proxy.reset()
            time.sleep(0.25)
            client.execute_command("CLIENT", "KILL", "TYPE", "normal")
            time.sleep(0.25)
    end(cut_off, worker, job)
    cut_off.wait_until_queues_are_empty()


def test_a_frozen_broker_holds_the_work_up_and_no_more(
    cluster: Cluster, own_redis: RedisServer, make_cluster: MakeCluster, database_url: str
) -> None:
    cluster = make_cluster(database_url, own_redis.url)
    worker, job = begin(cluster)
    own_redis.freeze()
    time.sleep(5)
    own_redis.thaw()
    end(cluster, worker, job)
    cluster.wait_until_queues_are_empty()


def refuses_writes(server: RedisServer) -> bool:
    try:
        with server.client() as client:
            client.set("any", 1, ex=1)
    except ResponseError:
        return True
    return False


@pytest.fixture(params=["memory", "disk"])
def shortage(request: pytest.FixtureRequest, own_redis: RedisServer) -> Callable[[bool], None]:
    """A function that lets Redis be short of memory, or its disk be full, and ends it again."""

    def limit_memory(full: bool) -> None:
        with own_redis.client() as client:
            client.config_set("maxmemory", "1" if full else "0")

    def limit_disk(full: bool) -> None:
        if not full:
            own_redis.empty_disk()
            return
        own_redis.fill_disk()
        # Redis takes one more command before it finds out.
        wait_for(lambda: refuses_writes(own_redis), PATIENCE_S, "a full disk")

    return {"memory": limit_memory, "disk": limit_disk}[request.param]


def test_what_a_full_broker_does_not_take_is_sent_later(
    make_cluster: MakeCluster,
    database_url: str,
    own_redis: RedisServer,
    shortage: Callable[[bool], None],
) -> None:
    cluster = make_cluster(database_url, own_redis.url)
    worker, running = begin(cluster)
    shortage(True)
    stored, unsent = cluster.try_to_submit("/1", "/2")
    assert unsent is not None
    assert unsent.startswith("the broker redis://127.0.0.1")
    assert "\n" not in unsent
    wait_for(lambda: "broker" in worker.trouble(), PATIENCE_S, "the worker's complaint")
    shortage(False)
    for job in (running, stored):
        end(cluster, worker, job)
    cluster.wait_until_queues_are_empty()
