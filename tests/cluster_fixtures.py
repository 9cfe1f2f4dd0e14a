"""Clusters of real worker processes, on the database that a test module chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from programs import Nursery

MakeCluster = Callable[[str, str], Cluster]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where workers are born that need not import torch first."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def make_cluster(nursery: Nursery, tmp_path: Path) -> Iterator[MakeCluster]:
    """A function that makes a cluster: ``(database_url, broker_url)``."""
    made: list[Cluster] = []

    def make(database_url: str, broker_url: str) -> Cluster:
        made.append(Cluster(nursery, tmp_path, database_url, broker_url))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def cluster(make_cluster: MakeCluster, database_url: str, redis_url: str) -> Cluster:
    """A cluster without a worker yet, on a fresh database and an empty broker."""
    return make_cluster(database_url, redis_url)
