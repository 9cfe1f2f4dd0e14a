"""Killed at any boundary between two steps, a worker leaves nothing that another does not end.

F1 of docs/reliability.md at each of its moments. Of two workers the one that comes to the boundary
first is killed there; the cases run side by side, as most of their time is a lease's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import NOBODY, Cluster
from programs import Nursery
from redis_server import RedisServer
from waiting import wait_for

from pipeline import ledger
from pipeline.broker import make_celery

if TYPE_CHECKING:
    from conftest import MakePostgres

_URIS = [f"/{number}" for number in range(12)]
#: While a worker carries chunks.
_CARRYING = [
    "after the pop",
    "before the claim",
    "within the claim",
    "after the claim",
    "after the send",
    "after the forward",
    "within the finish",
    "after the commit",
    "within the completion",
    "before the acknowledgement",
]
#: Of a job of one chunk: nobody else comes by to end it.
_AT_THE_END = ("after the commit", "within the completion", "before the acknowledgement")
#: While it sweeps, and how often the job's chunk was lost before.
_SWEEPING = {"after the mark": 0, "within the split": 1, "within the condemnation": 2}
#: Shorter than elsewhere: nobody counts the losses here.
_TIMES = {"LEASE_S": "1", "SWEEP_S": "0.3", "RESEND_S": "1"}


class Scene:
    """Runs one case in a cluster of its own."""

    def __init__(self, nursery: Nursery, postgres: MakePostgres, folder: Path) -> None:
        self._nursery = nursery
        self._postgres = postgres
        self._folder = folder

    def play(self, point: str) -> None:
        """Kill a worker at the boundary, and see the job through."""
        folder = self._folder / point.replace(" ", "-")
        folder.mkdir()
        with self._postgres() as (_, url), RedisServer() as redis:
            cluster = Cluster(self._nursery, folder, url, redis.url)
            try:
                self._see_through(cluster, point, folder)
            finally:
                cluster.close()

    def _see_through(self, cluster: Cluster, point: str, marks: Path) -> None:
        if point in _CARRYING:
            job = cluster.submit(*_URIS, chunk_size=12 if point in _AT_THE_END else 2)
        else:
            uris = _URIS[:1] if point == "within the condemnation" else _URIS
            job = cluster.store(*uris, chunk_size=12)
            lose(cluster, job, _SWEEPING[point])
        asked = {"TEST_FAILPOINT": point, "TEST_MARKS": str(marks), "TEST_VISIBILITY_S": "2"}
        two = [cluster.start("failing_app", **asked, **_TIMES) for _ in range(2)]
        cluster.wait_until_done(job)
        (dead,) = wait_for(lambda: [one for one in two if not one.program.lives], 30, "a death")
        assert dead.program.wait() == -signal.SIGKILL
        counts = cluster.check(job, but=_URIS[:1] if point == "within the condemnation" else ())
        assert counts.failed == (point == "within the condemnation")
        cluster.wait_until_broker_is_empty()


def lose(cluster: Cluster, job: int, times: int) -> None:
    """Lose the job's only chunk so often, and leave it with a lease that has run out."""
    database = cluster.database
    for _ in range(times):
        assert ledger.claim_next(database, job, "dead", 0.01)
        wait_for(lambda: ledger.expire_leases(database).lost, 5, "the end of a lease")
    if times:
        assert ledger.claim_next(database, job, "dead", 0.01)


@pytest.fixture(scope="module")
def endings(
    nursery: Nursery, migrated_postgres: MakePostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """The future ends of all cases."""
    make_celery(NOBODY)  # Its import at first use is not safe in several threads.
    folder = tmp_path_factory.mktemp("boundaries")
    scene = Scene(nursery, migrated_postgres, folder)
    with ThreadPoolExecutor(4) as pool:
        yield {point: pool.submit(scene.play, point) for point in (*_CARRYING, *_SWEEPING)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("point", [*_CARRYING, *_SWEEPING])
def test_a_worker_killed(endings: dict[str, Future[None]], point: str) -> None:
    endings[point].result()
