"""What befalls a job: it is deleted or cancelled while it runs, is poison, or asks for too much."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cluster import Cluster
from cluster_worker import Worker
from programs import PATIENCE_S
from redis import Redis
from waiting import wait_for

from pipeline import ledger
from pipeline.broker import QUEUES
from pipeline.records import MESSAGE_VERSION, Priority
from pipeline.storage.deletion import delete_job

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def begin(cluster: Cluster) -> tuple[Worker, int]:
    """Start a worker, and a job whose chunks would take half an hour each."""
    worker = cluster.start(LEASE_S="30").wait_until_ready()
    job = cluster.submit(*(f"/sleep-1800/{n}" for n in range(12)), chunk_size=1)
    cluster.wait_until_running(job, 4)
    return worker, job


def carry_another(cluster: Cluster, worker: Worker) -> None:
    """See that all of the worker's slots are free, and it is well."""
    job = cluster.submit(*(f"/sleep-0.5/{n}" for n in range(4)), chunk_size=1)
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 4
    worker.wait_for_metric("chunks_in_flight", 0)
    assert worker.is_ready()
    cluster.wait_until_broker_is_empty()


def test_a_job_that_is_deleted_while_it_runs(cluster: Cluster) -> None:
    worker, job = begin(cluster)
    delete_job(cluster.database, job)
    carry_another(cluster, worker)
    assert cluster.chunks(job) == []


def test_a_job_that_is_cancelled_while_it_runs(cluster: Cluster) -> None:
    worker, job = begin(cluster)
    assert ledger.cancel(cluster.database, job) == 12
    carry_another(cluster, worker)
    assert cluster.count_chunks(job, "cancelled") == 12


def test_messages_that_cannot_be_understood_are_left_to_newer_workers_and_sent_again(
    cluster: Cluster,
) -> None:
    job = cluster.submit("/1", "/2")
    with Redis.from_url(cluster.broker) as client:
        newer = json.loads(client.rpop(QUEUES[Priority.BULK]))
        fields = [[MESSAGE_VERSION + 1, "unheard of"], {}, {"callbacks": None}]
        newer["body"], newer["properties"]["body_encoding"] = json.dumps(fields), None
        client.lpush(QUEUES[Priority.BULK], json.dumps(newer))
    worker = cluster.start("failing_app", TEST_HURRY="1")
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 2
    assert worker.metric("messages_refused_total", "unreadable") == 1
    assert "is known here" in worker.program.said()


def test_a_worker_without_the_jobs_folder_leaves_its_chunks_to_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").touch()
    job = cluster.submit_folder(folder)
    here = folder.rename(tmp_path / "elsewhere")
    worker = cluster.start("failing_app", TEST_HURRY="1")
    wait_for(lambda: cluster.job(job).notice, PATIENCE_S, "the job's notice")
    assert f"the folder {folder} of job" in str(cluster.job(job).notice)
    worker.wait_for_metric("worker_problem", 1, "folder")
    assert worker.metric("chunks_total", "given_back") >= 1
    here.rename(folder)
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 1
    assert [chunk["lost"] for chunk in cluster.chunks(job)] == [0]


def test_a_worker_without_the_jobs_model_leaves_its_chunks_to_another(cluster: Cluster) -> None:
    without = cluster.start("failing_app", TEST_HURRY="1", TEST_NO_MODEL="1").wait_until_ready()
    job = cluster.submit("/1", "/2")
    wait_for(lambda: cluster.job(job).notice, PATIENCE_S, "the job's notice")
    assert "the model of job" in str(cluster.job(job).notice)
    assert without.metric("worker_problem", "model") == 1
    cluster.start()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 2
    assert [chunk["lost"] for chunk in cluster.chunks(job)] == [0]


@contextmanager
def supervised(cluster: Cluster) -> Iterator[list[Worker]]:
    """Keep a worker alive meanwhile, as a supervisor does; give all that there were."""
    workers, over = [cluster.start(LEASE_S="1.5", SWEEP_S="0.3")], threading.Event()

    def supervise() -> None:
        while not over.wait(0.02):
            if not workers[-1].program.lives:
                workers.append(cluster.start(LEASE_S="1.5", SWEEP_S="0.3"))

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield workers
    finally:
        over.set()
        thread.join()


def test_an_image_that_kills_its_worker_is_cornered_and_its_neighbours_classified(
    cluster: Cluster,
) -> None:
    uris = [f"/{n}" for n in range(16)]
    uris[5] = "/kill"
    job = cluster.submit(*uris, chunk_size=8)
    with supervised(cluster) as workers:
        cluster.wait_until_done(job)
    counts = cluster.check(job, but=["/kill"])
    assert (counts.succeeded, counts.failed) == (15, 1)
    assert cluster.find_code(job, "/kill") == "worker_crashed"
    # Twice with its neighbours, once alone in its chunk, twice alone in its worker.
    assert len(workers) <= 6
