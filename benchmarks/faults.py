"""The faults of the recovery benchmark: each breaks something, and tells how long it was felt."""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from cluster import Cluster
from cluster_worker import Worker
from postgres_server import PostgresServer
from proxy import Proxy
from redis_server import RedisServer
from waiting import wait_for

#: Longer than any bound, in seconds.
_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A cluster for one fault; ``times`` are the settings of its workers."""

    cluster: Cluster
    redis: RedisServer
    proxy: Proxy
    postgres: PostgresServer | None
    folder: Path
    times: dict[str, str]

    def start(self, **settings: str) -> Worker:
        """Start a worker, ready."""
        return self.cluster.start("failing_app", **self.times, **settings).wait_until_ready()

    def begin(self, pause_s: float = 1.0, chunks: int = 400) -> tuple[Worker, int]:
        """Start a worker, and a job whose chunks take so long; the first four are in hand."""
        worker = self.start()
        # Two images: a chunk of one runs alone after it was lost.
        one = (f"/sleep-{pause_s}", "/another")
        job = self.cluster.submit(*one * chunks, chunk_size=len(one))
        self.cluster.wait_until_running(job, 4)
        return worker, job

    def until_next(self, job: int) -> float:
        """Return how long it takes until chunks are finished that nobody has in hand yet."""
        cluster, started = self.cluster, time.monotonic()
        known = cluster.count_chunks(job, "done") + cluster.count_chunks(job, "running")
        wait_for(lambda: cluster.count_chunks(job, "done") > known, _PATIENCE_S, "another chunk")
        return time.monotonic() - started

    def until_taken_over(self, job: int, pid: int, started: float | None = None) -> float:
        """Return how long it takes until all that a worker had in hand is in another's."""
        started = started or time.monotonic()
        mine = f":{pid}"

        def taken_over() -> bool:
            names = [str(chunk["worker"] or mine) for chunk in self.cluster.chunks(job)]
            return not any(name.endswith(mine) for name in names)

        wait_for(taken_over, _PATIENCE_S, "the take-over")
        return time.monotonic() - started


def kill_worker(scene: Scene) -> float:
    doomed, job = scene.begin(pause_s=600, chunks=4)
    scene.start()
    doomed.program.kill()
    return scene.until_taken_over(job, doomed.program.pid)


def freeze_worker(scene: Scene) -> float:
    frozen, job = scene.begin(pause_s=600, chunks=4)
    scene.start()
    frozen.program.freeze()
    return scene.until_taken_over(job, frozen.program.pid)


def freeze_transaction(scene: Scene) -> float:
    marks = {"TEST_MARKS": str(scene.folder), "TEST_FAILURE": "stop"}
    frozen = scene.start(TEST_FAILPOINT="within the finish", **marks)
    job = scene.cluster.submit("/1")
    wait_for((scene.folder / "failed-0").exists, _PATIENCE_S, "the failpoint")
    started = time.monotonic()
    scene.start()
    return scene.until_taken_over(job, frozen.program.pid, started)


def lose_device(scene: Scene) -> float:
    lost = scene.start(TEST_ENGINE="lost")
    scene.start(CONCURRENCY="1")
    job = scene.cluster.submit(*(f"/sleep-0.2/{n}" for n in range(8)), chunk_size=1)
    started = time.monotonic()
    assert lost.program.wait() == 70
    scene.cluster.wait_until_done(job)
    return time.monotonic() - started


def run_out_of_memory(scene: Scene) -> float:
    marks = {"TEST_MARKS": str(scene.folder), "TEST_FAILURE": "memory", "TEST_TIMES": "8"}
    scene.start(TEST_FAILPOINT="at the forward", **marks)
    job = scene.cluster.submit(*(f"/{n}" for n in range(8)), chunk_size=1)
    started = time.monotonic()
    scene.cluster.wait_until_done(job, _PATIENCE_S)
    return time.monotonic() - started


def lose_message(scene: Scene) -> float:
    job = scene.cluster.submit("/1")
    with scene.redis.client() as client:
        assert client.rpop("imagemill.bulk")
    started = time.monotonic()
    scene.start()
    scene.cluster.wait_until_done(job, _PATIENCE_S)
    return time.monotonic() - started


def flush_broker(scene: Scene) -> float:
    _, job = scene.begin(pause_s=3)
    with scene.redis.client() as client:
        wait_for(lambda: client.llen("imagemill.bulk") == 8, _PATIENCE_S, "the messages")
        client.flushall()
    started = time.monotonic()
    waiting = [chunk for chunk in scene.cluster.chunks(job) if chunk["state"] == "queued"]
    forgotten = {chunk["number"] for chunk in waiting if chunk["sent_at"]}

    def claimed() -> bool:
        queued = [one for one in scene.cluster.chunks(job) if one["state"] == "queued"]
        return not forgotten & {one["number"] for one in queued}

    wait_for(claimed, _PATIENCE_S, "what was forgotten")
    return time.monotonic() - started


def restart_broker(scene: Scene) -> float:
    _, job = scene.begin()
    scene.redis.kill()
    time.sleep(5)
    scene.redis.start()
    return scene.until_next(job)


def freeze_broker(scene: Scene) -> float:
    _, job = scene.begin()
    scene.redis.freeze()
    time.sleep(20)
    scene.redis.thaw()
    return scene.until_next(job)


def half_open(scene: Scene) -> float:
    _, job = scene.begin()
    scene.proxy.hole()
    return scene.until_next(job)


def storm(scene: Scene) -> float:
    _, job = scene.begin()
    for _ in range(10):
        scene.proxy.reset()
        time.sleep(2)
    return scene.until_next(job)


def fill_broker(scene: Scene) -> float:
    _, job = scene.begin()
    with scene.redis.client() as client:
        client.config_set("maxmemory", "1")
        time.sleep(20)
        client.config_set("maxmemory", "0")
    return scene.until_next(job)


def fill_brokers_disk(scene: Scene) -> float:
    _, job = scene.begin()
    scene.redis.fill_disk()
    time.sleep(20)
    scene.redis.empty_disk()
    return scene.until_next(job)


def restart_database(scene: Scene) -> float:
    assert scene.postgres
    _, job = scene.begin()
    scene.postgres.restart_immediately()
    return scene.until_next(job)


def lock_database(scene: Scene) -> float:
    _, job = scene.begin()
    path = scene.cluster.database.address.removeprefix("sqlite:///")
    with ExitStack() as stack:
        other = sqlite3.connect(path, isolation_level=None)
        stack.callback(other.close)
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(90)
        other.execute("ROLLBACK")
    return scene.until_next(job)


def fill_database(scene: Scene) -> float:
    full = scene.folder / "full"
    scene.start(TEST_FULL_DISK=str(full))
    one = ["/sleep-1", *(f"/{n}" for n in range(99))]
    job = scene.cluster.submit(*one * 100, chunk_size=100)
    scene.cluster.wait_until_running(job, 4)
    full.touch()
    time.sleep(20)
    full.unlink()
    return scene.until_next(job)


def drain(scene: Scene) -> float:
    worker, _ = scene.begin(pause_s=600, chunks=4)
    return _stop(worker)


def drain_cut_off(scene: Scene) -> float:
    worker, _ = scene.begin(pause_s=5, chunks=4)
    scene.proxy.hole(new_pass=False)
    return _stop(worker)


def stop_twice(scene: Scene) -> float:
    worker, _ = scene.begin(pause_s=600, chunks=4)
    worker.program.signal(signal.SIGTERM)
    wait_for(lambda: "draining" in worker.program.said(), _PATIENCE_S, "the drain")
    return _stop(worker)


def _stop(worker: Worker) -> float:
    started = time.monotonic()
    worker.program.signal(signal.SIGTERM)
    assert worker.program.wait(_PATIENCE_S) == 0
    return time.monotonic() - started


Fault = Callable[[Scene], float]
