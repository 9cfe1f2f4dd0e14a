"""Workers that are told to stop: they finish what they have in hand, or give it back; no loss.

F22 and F23 of docs/reliability.md, and F1 with real loader processes.
"""

from __future__ import annotations

import signal
import uuid
from pathlib import Path

import pytest
from cluster import Cluster
from cluster_fixtures import MakeCluster
from cluster_worker import Worker
from marked import find_marked
from programs import PATIENCE_S
from proxy import Proxy
from redis_server import RedisServer
from waiting import wait_for

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
#: A lease that nobody loses by mere slowness, in seconds.
_SAFE_S = "60"
#: What a worker with one loader process starts: that, its fork server, and the latter's tracker.
_FAMILY = 3


def count_states(cluster: Cluster, job: int) -> dict[str, int]:
    """Return how many chunks of a job are in each state, after none was found lost."""
    assert {chunk["lost"] for chunk in cluster.chunks(job)} == {0}
    return {state: cluster.count_chunks(job, state) for state in ("queued", "running", "done")}


def begin(cluster: Cluster, uri: str, chunks: int, **settings: str) -> tuple[Worker, int]:
    """Start a worker of two slots, and a job of chunks of one image; both slots are taken."""
    worker = cluster.start("failing_app", LEASE_S=_SAFE_S, CONCURRENCY="2", **settings)
    worker.wait_until_ready()
    job = cluster.submit(*(f"{uri}/{n}" for n in range(chunks)), chunk_size=1)
    cluster.wait_until_running(job, 2)
    return worker, job


def finish(cluster: Cluster, job: int) -> None:
    """Let another worker end the job."""
    cluster.start()
    cluster.wait_until_done(job)
    counts = cluster.check(job)
    assert counts.succeeded == counts.total
    cluster.wait_until_broker_is_empty()


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand(cluster: Cluster) -> None:
    worker, job = begin(cluster, "/sleep-1", chunks=5, DRAIN_S="30")
    worker.program.signal(signal.SIGTERM)
    assert worker.program.wait() == 0
    assert count_states(cluster, job) == {"queued": 3, "running": 0, "done": 2}
    finish(cluster, job)


def test_beyond_the_drains_deadline_it_gives_back_what_it_has_in_hand(cluster: Cluster) -> None:
    worker, job = begin(cluster, "/sleep-4", chunks=3, DRAIN_S="0.2")
    worker.program.signal(signal.SIGTERM)
    assert worker.program.wait() == 0
    assert count_states(cluster, job) == {"queued": 3, "running": 0, "done": 0}
    finish(cluster, job)


def test_told_again_it_gives_back_at_once(cluster: Cluster) -> None:
    worker, job = begin(cluster, "/sleep-3", chunks=3, DRAIN_S="600")
    worker.program.signal(signal.SIGTERM)
    wait_for(lambda: "draining" in worker.program.said(), PATIENCE_S, "the drain")
    worker.program.signal(signal.SIGTERM)
    assert worker.program.wait() == 0
    assert count_states(cluster, job) == {"queued": 3, "running": 0, "done": 0}
    finish(cluster, job)


def test_cut_off_from_the_broker_it_stops_too(
    make_cluster: MakeCluster, database_url: str, own_redis: RedisServer
) -> None:
    with Proxy("127.0.0.1", own_redis.port) as proxy:
        cluster = make_cluster(database_url, own_redis.url_at(proxy.port))
        worker, job = begin(cluster, "/sleep-1", chunks=2, DRAIN_S="4", TEST_HURRY="1")
        proxy.hole(new_pass=False)
        worker.program.signal(signal.SIGTERM)
        assert worker.program.wait() == 0
        assert count_states(cluster, job) == {"queued": 0, "running": 0, "done": 2}
        cluster.check(job)
        assert "leaving without a word to the broker" in worker.program.said()


def wait_for_family(mark: str, members: int) -> None:
    """Wait until so many processes live that a worker with this mark has started."""
    what = f"a family of {members}"
    wait_for(lambda: len(find_marked("IMAGEMILL_TEST_MARK", mark)) == members, PATIENCE_S, what)


def test_a_ctrl_c_reaches_no_loader_process_before_the_drain_is_over_and_a_kill_leaves_none(
    cluster: Cluster, tmp_path: Path
) -> None:
    from workers.demo.drawing import write_pictures

    pictures = [str(path) for path in write_pictures(tmp_path / "pictures", count=20, seed=3)]
    job = cluster.submit(*pictures * 50, chunk_size=50)
    real = {"LEASE_S": _SAFE_S, "DRAIN_S": "60", "LOADERS": "1", "CONCURRENCY": "1"}
    marks = [uuid.uuid4().hex for _ in range(2)]
    drained, killed = (cluster.start("workers.app", TEST_MARK=mark, **real) for mark in marks)
    for mark in marks:
        wait_for_family(mark, _FAMILY)
    drained.program.signal_group(signal.SIGINT)
    killed.program.kill()
    wait_for_family(marks[1], 0)
    assert drained.program.wait() == 0
    wait_for_family(marks[0], 0)
    left = count_states(cluster, job)
    assert left["running"] == 1
    assert left["done"] >= 1
