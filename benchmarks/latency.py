"""How soon a single picture is stored that is submitted to a warm idle worker.

    .venv/bin/python benchmarks/latency.py [--rounds 30] [--weights demo]

From the commit of the submission to the commit of the prediction, as PostgreSQL itself stamps
both. Prints the median and the 95th percentile in ms: of the whole, of the moments on the way
(since the first commit), and of what the worker did with the picture.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import sqlalchemy as sa
from servers import WORKER, Cluster, open_cluster, print_table

from pipeline.records import Reference
from workers.demo.drawing import draw_numbered

#: The pause between two pictures, in seconds: the worker is idle again.
_PAUSE_S = 0.3
NAMES = (
    *("sent", "claimed", "finishing", "stored"),
    *("of it: read", "decode", "waiting for a batch", "forward", "store"),
)
_LOOK = """
SELECT {moments}, read_ms, decode_ms, queue_wait_ms, forward_ms, store_ms
FROM images JOIN chunks USING (job_id) JOIN outcomes USING (job_id) WHERE job_id = :job"""
_MOMENT = "1000 * extract(epoch FROM {} - pg_xact_commit_timestamp(images.xmin))::float"
_MOMENTS = ("sent_at", "started_at", "finished_at", "pg_xact_commit_timestamp(outcomes.xmin)")
LOOK = sa.text(_LOOK.format(moments=", ".join(map(_MOMENT.format, _MOMENTS))))


def main() -> None:
    options = read_options()
    with open_cluster(track_commit_timestamp="on") as cluster, cluster.working(WORKER):
        # The first ones load the model, and warm up what is new in the worker.
        rows = [carry(cluster, options, n) for n in range(5 + options.rounds)][5:]
    columns = map(sorted, zip(*rows, strict=True))
    print_table(
        ["ms", "median", "p95"],
        [
            [name, f"{statistics.median(column):.1f}", f"{column[int(0.95 * len(column))]:.1f}"]
            for name, column in zip(NAMES, columns, strict=True)
        ],
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--rounds", type=int, default=30)
    return parser.parse_args()


def carry(cluster: Cluster, options: argparse.Namespace, number: int) -> tuple[float, ...]:
    """Submit one picture, and return its moments and stages in ms."""
    path = cluster.folder / f"{number}.jpg"
    path.write_bytes(draw_numbered(number, seed=4)[1])
    time.sleep(_PAUSE_S * random.uniform(1, 2))
    job_id = cluster.submit([Reference(str(path))], weights=options.weights)
    cluster.finish(job_id)
    with cluster.database.reading() as connection:
        return tuple(connection.execute(LOOK, {"job": job_id}).one())


if __name__ == "__main__":
    main()
