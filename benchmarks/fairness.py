"""What 20 small jobs have to wait for when a large one runs, and what the large one loses.

    .venv/bin/python benchmarks/fairness.py FOLDER [--large 20000] [--rounds 3]

A worker carries 20 jobs of 100 references to the pictures of FOLDER, submitted one right after the
other: first by itself, then in the middle of a large job. Prints the seconds from the first
submission to the last end, and by how many images the large job fell behind its rate before.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path

import sqlalchemy as sa
from servers import WORKER, Cluster, open_cluster, print_table
from waiting import wait_for

from pipeline import ledger
from pipeline.records import Priority, Reference
from pipeline.tables import chunks

#: How long the large job runs before the small ones come, in seconds.
_ALONE_S = 20.0


def main() -> None:
    options = read_options()
    found = sorted(str(path.absolute()) for path in options.folder.iterdir() if path.is_file())
    with open_cluster() as cluster, cluster.working(WORKER):
        carry_small(cluster, found, options)  # Loads the model.
        rounds = [measure(cluster, found, options) for _ in range(options.rounds)]
    names = ("small jobs alone, s", "beside the large one, s", "times", "large one: lost images")
    print_table(
        ["", "median", "lowest", "highest"],
        [
            [name, *(f"{of(column):.2f}" for of in (statistics.median, min, max))]
            for name, column in zip(names, zip(*rounds, strict=True), strict=True)
        ],
    )
    print(f"the small jobs have {options.jobs * options.small:,} images")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--small", type=int, default=100, help="images of a small job")
    parser.add_argument("--large", type=int, default=20_000, help="images of the large job")
    parser.add_argument(
        "--priority", type=Priority, default=Priority.BULK, help="of the small jobs"
    )
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure(
    cluster: Cluster, found: list[str], options: argparse.Namespace
) -> tuple[float, float, float, float]:
    """Return the small jobs' seconds alone and beside, their ratio, and the loss in images."""
    began, ended = carry_small(cluster, found, options)
    alone_s = ended - began
    large = submit(cluster, found, options.large, options, Priority.BULK)
    wait_for(lambda: list_ends(cluster, large), 60, "the large job's first chunk")
    time.sleep(_ALONE_S)
    began, ended = carry_small(cluster, found, options)
    wait_for(
        lambda: list_ends(cluster, large)[-1][0] > ended, 60, "one more chunk of the large job"
    )
    ledger.cancel(cluster.database, large)
    lost = count_lost(list_ends(cluster, large), began, ended)
    row = (alone_s, ended - began, (ended - began) / alone_s, lost)
    print("alone {:.1f} s, beside {:.1f} s, {:.2f} times, {:.0f} lost".format(*row), flush=True)
    return row


def carry_small(
    cluster: Cluster, found: list[str], options: argparse.Namespace
) -> tuple[float, float]:
    """Return when the first small job was submitted and the last one ended, by the database."""
    ids = [
        submit(cluster, found, options.small, options, options.priority)
        for _ in range(options.jobs)
    ]
    ended = [cluster.finish(job_id) for job_id in ids]
    return (
        min(job.submitted_at.timestamp() for job in ended if job.submitted_at),
        max(job.finished_at.timestamp() for job in ended if job.finished_at),
    )


def submit(
    cluster: Cluster, found: list[str], count: int, options: argparse.Namespace, priority: Priority
) -> int:
    references = map(Reference, itertools.islice(itertools.cycle(found), count))
    return cluster.submit(references, priority=priority, weights=options.weights)


def list_ends(cluster: Cluster, job_id: int) -> list[tuple[float, int]]:
    """Return when each chunk of a job ended, and its images."""
    chunk = chunks.c
    done = (chunk.job_id == job_id, chunk.finished_at.is_not(None))
    look = sa.select(chunk.finished_at, chunk.last - chunk.first + 1).where(*done)
    with cluster.database.reading() as connection:
        rows = connection.execute(look.order_by(chunk.finished_at))
        return [(moment.timestamp(), images) for moment, images in rows]


def count_lost(ends: list[tuple[float, int]], began: float, ended: float) -> float:
    """Return the images that the rate before would have added in the window, less those it did.

    The window is widened to whole chunks of the large job.
    """
    start = max(moment for moment, _ in ends if moment <= began)
    stop = min(moment for moment, _ in ends if moment >= ended)
    first = ends[0][0]
    rate = sum(images for moment, images in ends if first < moment <= start) / (start - first)
    return rate * (stop - start) - sum(n for moment, n in ends if start < moment <= stop)


if __name__ == "__main__":
    main()
