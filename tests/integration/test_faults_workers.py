"""Workers that are killed, frozen or out of memory: others do their work, and nothing is doubled.

F1, F14, F19, F21, F24 and F25 of docs/reliability.md.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cluster import Cluster
from programs import PATIENCE_S
from redis import Redis
from waiting import wait_for

from pipeline.broker import QUEUES
from pipeline.records import Priority

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_SKEW = str(Path(__file__).parents[1] / "skew")
#: A lease that nobody loses by mere slowness, in seconds.
_SAFE_S = "15"
#: Nobody has to find out that a message is lost.
_NONE_LOST = {"LEASE_S": _SAFE_S, "RESEND_S": "600"}


def test_a_killed_workers_chunks_are_done_by_another(cluster: Cluster) -> None:
    doomed = cluster.start().wait_until_ready()
    job = cluster.submit(*(f"/sleep-0.2/{n}" for n in range(24)))
    cluster.wait_until_running(job, 4)
    doomed.program.kill()
    heir = cluster.start()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 24
    assert heir.metric("chunks_lost_total") >= 4
    cluster.wait_until_queues_are_empty()


def test_a_worker_without_its_device_gives_all_back_and_leaves_for_a_new_one(
    cluster: Cluster,
) -> None:
    lost = cluster.start("failing_app", TEST_ENGINE="lost", **_NONE_LOST).wait_until_ready()
    job = cluster.submit(*(f"/{n}" for n in range(12)))
    assert lost.program.wait() == 70
    assert "the device is lost: CUDA error" in lost.program.said()
    assert cluster.count_chunks(job, "running") == 0
    cluster.start(**_NONE_LOST)
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 12


def test_a_worker_whose_engine_cannot_be_stopped_leaves_all_the_same(cluster: Cluster) -> None:
    hung = cluster.start("failing_app", STALL_S="0.5", TEST_ENGINE="hung", TEST_HURRY="1")
    hung.wait_until_ready()
    job = cluster.submit(*(f"/{n}" for n in range(12)))
    assert hung.program.wait() == 70
    cluster.start()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 12


def test_a_worker_whose_engine_stands_still_leaves_for_a_new_one(cluster: Cluster) -> None:
    hurry = {"STALL_S": "0.5", "TEST_HURRY": "1", **_NONE_LOST}
    stalled = cluster.start("failing_app", TEST_ENGINE="stalled", **hurry).wait_until_ready()
    job = cluster.submit(*(f"/{n}" for n in range(12)))
    assert stalled.program.wait() == 70
    assert "no progress" in stalled.program.said()
    assert cluster.count_chunks(job, "running") == 0
    cluster.start(**_NONE_LOST)
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 12


def test_of_a_message_that_comes_three_times_one_is_carried(cluster: Cluster) -> None:
    job = cluster.submit("/1", "/2", "/3")
    with Redis.from_url(cluster.broker) as client:
        queue = QUEUES[Priority.BULK]
        client.lpush(queue, *client.lrange(queue, 0, -1) * 2)
    worker = cluster.start()
    cluster.wait_until_done(job)
    cluster.wait_until_broker_is_empty()
    assert cluster.check(job).succeeded == 3
    worker.wait_for_metric("messages_refused_total", 2, "too_late")
    assert worker.metric("chunks_total", "done") == 1


def test_a_message_that_celery_gives_to_a_second_while_the_first_is_at_it_is_refused(
    cluster: Cluster,
) -> None:
    both = [cluster.start("failing_app", LEASE_S=_SAFE_S, TEST_VISIBILITY_S="1") for _ in range(2)]
    for worker in both:
        worker.wait_until_ready()
    job = cluster.submit("/sleep-3/1", "/2")
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 2
    assert sum(worker.metric("messages_refused_total", "too_late") for worker in both) >= 1
    assert [chunk["lost"] for chunk in cluster.chunks(job)] == [0]
    cluster.wait_until_broker_is_empty()


def test_clocks_that_differ_by_twenty_minutes_steal_no_lease(cluster: Cluster) -> None:
    early = {"LEASE_S": "5", "TEST_VISIBILITY_S": "300", "python_path": _SKEW}
    two = [cluster.start("failing_app", TEST_SKEW_S=skew_s, **early) for skew_s in ("600", "-600")]
    for worker in two:
        worker.wait_until_ready()
    job = cluster.submit(*(f"/sleep-1/{n}" for n in range(20)), chunk_size=2)
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 20
    assert {chunk["lost"] for chunk in cluster.chunks(job)} == {0}
    assert len({chunk["worker"] for chunk in cluster.chunks(job)}) == 2
    # To one of them the other's messages were twenty minutes old; it got them, too.
    assert sum(worker.metric("messages_refused_total", "too_late") for worker in two) >= 1


def test_a_frozen_worker_is_replaced_and_fenced_off_when_it_wakes_and_lives_on(
    cluster: Cluster,
) -> None:
    frozen = cluster.start().wait_until_ready()
    job = cluster.submit("/sleep-2", "/1")
    cluster.wait_until_running(job)
    frozen.program.freeze()
    other = cluster.start()
    mine = f":{other.program.pid}"
    taken = lambda: str(cluster.chunks(job)[0]["worker"]).endswith(mine)  # noqa: E731
    wait_for(taken, PATIENCE_S, "the claim of the other")
    frozen.program.thaw()
    frozen.wait_for_metric("chunks_total", 1, "fenced")
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 2
    assert str(cluster.chunks(job)[0]["worker"]).endswith(mine)
    other.program.kill()
    again = cluster.submit("/5")
    cluster.wait_until_done(again)
    assert cluster.check(again).succeeded == 1
    assert frozen.program.lives


def test_a_worker_that_froze_in_its_transaction_holds_nobody_up(
    cluster: Cluster, tmp_path: Path
) -> None:
    point = {"TEST_FAILPOINT": "within the finish", "TEST_FAILURE": "stop"}
    frozen = cluster.start("failing_app", **point, TEST_MARKS=str(tmp_path)).wait_until_ready()
    job = cluster.submit("/1", "/2")
    wait_for((tmp_path / "failed-0").exists, PATIENCE_S, "the failpoint")
    cluster.start()
    cluster.wait_until_done(job)
    frozen.program.thaw()
    frozen.wait_for_metric("chunks_total", 1, "fenced")
    assert cluster.check(job).succeeded == 2
    frozen.program.signal(signal.SIGTERM)
    assert frozen.program.wait() == 0


@pytest.mark.parametrize("failure", ["memory", "exit"])
def test_what_a_task_raises_costs_no_slot_and_its_chunk_comes_again(
    cluster: Cluster, tmp_path: Path, failure: str
) -> None:
    point = {"TEST_FAILPOINT": "at the forward", "TEST_FAILURE": failure, "TEST_TIMES": "5"}
    worker = cluster.start("failing_app", CONCURRENCY="2", **point, TEST_MARKS=str(tmp_path))
    job = cluster.submit(*(f"/{n}" for n in range(20)))
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 20
    assert worker.metric("chunks_lost_total") == 5
    assert worker.program.said().count("chunk left to its lease") == 5
