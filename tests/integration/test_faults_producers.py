"""Two producers of one name at once, one of them killed: one job, whole, and no image twice.

F20 of docs/reliability.md.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cluster import Cluster
from job_books import recount
from programs import Program

from pipeline.queries.jobs import count_jobs, get_job

_IMAGES = 30


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A list of images."""
    path = tmp_path / "list.txt"
    path.write_text("".join(f"/{number}\n" for number in range(_IMAGES)))
    return path


def submit(cluster: Cluster, manifest: Path, **settings: str) -> Program:
    words = ["submit", str(manifest), "--name", "one", "--weights", "demo", "--no-wait"]
    home = {"TEST_PIECE": "10", "CHUNK_SIZE": "5"}
    return cluster.run("failing_command", *words, **home, **settings)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_producers_of_one_name_at_once_make_one_job(cluster: Cluster, manifest: Path) -> None:
    several = [submit(cluster, manifest) for _ in range(3)]
    assert [producer.wait() for producer in several] == [0, 0, 0]
    with cluster.database.reading() as connection:
        assert count_jobs(connection) == 1
        job = get_job(connection, "one")
    assert {producer.said().splitlines()[-1] for producer in several} == {job.public_id}
    assert recount(cluster.database, job.id).total == _IMAGES


@pytest.mark.parametrize(
    ("database_url", "point"),
    [
        ("postgresql", "after the first piece"),
        ("postgresql", "after the mark"),
        ("postgresql", "after the send"),
        ("sqlite", "after the first piece"),
    ],
    indirect=["database_url"],
)
def test_a_producer_killed_beside_another(
    cluster: Cluster, manifest: Path, tmp_path: Path, point: str
) -> None:
    asked = {"TEST_FAILPOINT": point, "TEST_MARKS": str(tmp_path)}
    two = [submit(cluster, manifest, **asked) for _ in range(2)]
    codes = [producer.wait() for producer in two]
    assert sorted(codes) == [-signal.SIGKILL, 0]
    with cluster.database.reading() as connection:
        assert count_jobs(connection) == 1
        job = get_job(connection, "one")
    assert two[codes.index(0)].said().splitlines()[-1] == job.public_id
    cluster.start()
    cluster.wait_until_done(job.id)
    assert cluster.check(job.id).succeeded == _IMAGES
    cluster.wait_until_broker_is_empty()
