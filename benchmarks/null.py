"""The null pipeline: what one worker stores when nothing is decoded and nothing computed.

    .venv/bin/python benchmarks/null.py [--images 200000] [--chunk 256] [--concurrency 4]

Five made-up predictions for each image go through a real Redis and a real PostgreSQL, each round
with a new worker. Prints the images/s between the first chunk's end and the last one's, and the
milliseconds of CPU that the worker and the servers took for 1,000 images.
"""

from __future__ import annotations

import argparse
import statistics

from processes import cpu_seconds
from servers import NULL_WORKER, Cluster, open_cluster, print_table, steady_rate

from pipeline.records import Reference


def main() -> None:
    options = read_options()
    with open_cluster() as cluster:
        rows = [carry(cluster, options) for _ in range(options.rounds)]
    names = ("images/s", "ms of CPU for 1,000: worker", "postgres", "redis")
    print_table(
        ["", "median", "lowest", "highest"],
        [
            [name, *(f"{of(column):,.1f}" for of in (statistics.median, min, max))]
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        ],
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def carry(cluster: Cluster, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the images/s of one job, and the CPU seconds for 1,000 images of who had a part."""
    references = (Reference(f"/made/up/{n:09}.jpg") for n in range(options.images))
    words = (*NULL_WORKER, "--concurrency", options.concurrency)
    with cluster.working(words) as worker:
        pids = (worker.pid, cluster.postgres.pid, cluster.redis.pid)
        job_id = cluster.submit(references, options.chunk)
        before = [cpu_seconds(pid) for pid in pids]
        cluster.finish(job_id)
        after = [cpu_seconds(pid) for pid in pids]
    rate = steady_rate(cluster.database, job_id)
    print(f"{rate:,.0f} images/s", flush=True)
    spent = (b - a for a, b in zip(before, after, strict=True))
    return (rate, *(1e6 * seconds / options.images for seconds in spent))


if __name__ == "__main__":
    main()
