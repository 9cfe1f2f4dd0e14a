"""The steady rate of a worker behind Redis and PostgreSQL against that of `run`, side by side.

    .venv/bin/python benchmarks/cluster_rate.py FOLDER [--images 3000] [--rounds 5]

Each round carries one job of so many references to the pictures of FOLDER by `imagemill run` (into
SQLite), and one by a new `imagemill worker`; every second round in the other order. The rates are
those between the first chunk's end and the last one's, so nobody's start is in them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
from pathlib import Path

from servers import COMMAND, WORKER, Cluster, open_cluster, print_table, steady_rate

from pipeline.database.database import open_database
from pipeline.records import Reference

NAMES = ("run", "worker", "ratio")


def main() -> None:
    options = read_options()
    found = sorted(str(path.absolute()) for path in options.folder.iterdir() if path.is_file())
    pictures = list(itertools.islice(itertools.cycle(found), options.images))
    with open_cluster() as cluster:
        rounds = [carry_both(cluster, pictures, options, n) for n in range(options.rounds)]
    columns = zip(NAMES, zip(*rounds, strict=True), strict=True)
    print_table(
        ["", "median", "lowest", "highest"],
        [
            [name, *(f"{of(column):.3f}" for of in (statistics.median, min, max))]
            for name, column in columns
        ],
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def carry_both(
    cluster: Cluster, pictures: list[str], options: argparse.Namespace, number: int
) -> tuple[float, float, float]:
    """Return the images/s of both, and the worker's part of the other."""
    both = [
        lambda: run_rate(cluster, pictures, options.weights),
        lambda: worker_rate(cluster, pictures, options.weights),
    ]
    order = (0, 1) if number % 2 == 0 else (1, 0)
    rates = {which: both[which]() for which in order}
    print(f"round {number + 1}: run {rates[0]:.1f}, worker {rates[1]:.1f} images/s", flush=True)
    return rates[0], rates[1], rates[1] / rates[0]


def run_rate(cluster: Cluster, pictures: list[str], weights: str) -> float:
    """Return the steady images/s of `run`."""
    folder = cluster.folder / f"run-{os.urandom(4).hex()}"
    folder.mkdir()
    manifest = folder / "pictures.txt"
    manifest.write_text("".join(f"{picture}\n" for picture in pictures))
    url = f"sqlite:///{folder}/imagemill.db"
    subprocess.run(
        [COMMAND, "run", manifest, "--weights", weights],
        env=os.environ | {"IMAGEMILL_DATABASE_URL": url},
        capture_output=True,
        check=True,
    )
    database = open_database(url)
    try:
        return steady_rate(database, 1)
    finally:
        database.close()


def worker_rate(cluster: Cluster, pictures: list[str], weights: str) -> float:
    """Return the steady images/s of a worker."""
    with cluster.working(WORKER):
        job_id = cluster.submit(map(Reference, pictures), weights=weights)
        cluster.finish(job_id)
    return steady_rate(cluster.database, job_id)


if __name__ == "__main__":
    main()
