"""The rate and the memory of `submit` into PostgreSQL, and what a look at the jobs costs beside it.

    .venv/bin/python benchmarks/submit.py [--images 1000000]

Submits a manifest of made-up references by the command itself. Prints for each tenth the
references/s, and the memory of the command in MB (its own pages); at the end the ms that
`jobs list` and `jobs show` took meanwhile, from the opening of the database to the last line:
without the start of Python.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from memory import resident_mb
from servers import COMMAND, Cluster, open_cluster, print_table

from pipeline.cli.jobs.commands import list_jobs, show_job
from pipeline.queries.jobs import find_job

NAME = "synthetic"


def main() -> None:
    options = read_options()
    with open_cluster() as cluster:
        manifest = cluster.folder / "references.txt"
        write_manifest(manifest, options.images)
        process = start(cluster, manifest)
        looks: dict[str, list[float]] = {"jobs list": [], "jobs show": []}
        started = time.perf_counter()
        marks = list(watch(cluster, process, options.images, looks))
        seconds = time.perf_counter() - started
    print(f"{options.images / seconds:,.0f} references/s with the start of the command")
    print(f"growth of the memory from the first tenth to the last: {marks[-1] - marks[0]:.0f} MB")
    print_table(
        ["ms", "median", "worst", "looks"],
        [
            [name, f"{statistics.median(times):.0f}", f"{max(times):.0f}", str(len(times))]
            for name, times in looks.items()
        ],
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=1_000_000)
    return parser.parse_args()


def write_manifest(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(f"/data/shop-{n // 1000:06}/{n:09}.jpg\n" for n in range(count))


def start(cluster: Cluster, manifest: Path) -> subprocess.Popen[bytes]:
    words = [
        str(COMMAND),
        "submit",
        str(manifest),
        "--weights",
        "demo",
        "--name",
        NAME,
        "--no-wait",
    ]
    with (cluster.folder / "submit.log").open("wb") as log:
        return subprocess.Popen(words, env=cluster.environment(), stdout=log, stderr=log)


def watch(
    cluster: Cluster, process: subprocess.Popen[bytes], total: int, looks: dict[str, list[float]]
) -> Iterator[float]:
    """Yield the memory at each tenth of the submission; look at the jobs now and then."""
    mark, done_before, before = 1, 0, time.perf_counter()
    while process.poll() is None:
        done = count_done(cluster)
        if done >= mark * total / 10:
            now, memory = time.perf_counter(), resident_mb(process.pid)
            rate = (done - done_before) / (now - before)
            print(f"{done:>12,}: {rate:>8,.0f} references/s, {memory:5.0f} MB", flush=True)
            yield memory
            mark, done_before, before = int(10 * done / total) + 1, done, now
        if done:
            look(cluster, looks)
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit((cluster.folder / "submit.log").read_text()[-2000:])


def count_done(cluster: Cluster) -> int:
    with cluster.database.reading() as connection:
        job = find_job(connection, NAME)
    return job.counts.total if job else 0


def look(cluster: Cluster, looks: dict[str, list[float]]) -> None:
    url = cluster.postgres.url
    commands: dict[str, Callable[[], None]] = {
        "jobs list": lambda: list_jobs(database_url=url),
        "jobs show": lambda: show_job(NAME, database_url=url),
    }
    for name, command in commands.items():
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            command()
        looks[name].append(1000 * (time.perf_counter() - started))


if __name__ == "__main__":
    main()
