"""The rate and the memory of `submit` into PostgreSQL, and what a look at the jobs costs beside it.

    .venv/bin/python benchmarks/submit.py [--images 1000000]

Submits a manifest of made-up references by the command itself. Prints for each tenth the
references/s, and the memory of the command in MB (its own pages); at the end the ms that `jobs list`
and `jobs show` took meanwhile, from the opening of the database to the last line, without the start
of Python.
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
