"""How long people wait for answers over 50,000,000 predictions of 10,000,000 images.

    .venv/bin/python benchmarks/queries.py [--images 10150000] [--repeat 200] [--only WORD]

Makes the rows by SQL in a PostgreSQL of its own (about 10 GB, gone in the end), then asks each
question with so many random parameters by the product's own functions. Prints the median, the
95th percentile and the worst in ms. A page has 50 rows; a deep one begins anywhere in the job.
Numbers are asked for a fifth as often: there are some that no index makes cheap.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from bulk_rows import CHUNK, LABELS, MadeJob, draw_uris, make_rows
from servers import open_postgres

from pipeline.database.database import Database, open_database
from pipeline.queries.chunks import list_chunks
from pipeline.queries.cursors import write_cursor
from pipeline.queries.filters import PredictionFilter as Filter
from pipeline.queries.jobs import count_jobs, get_job, list_jobs
from pipeline.queries.results import count_results, list_results
from pipeline.queries.tallies import count_by_code, count_by_label

Read = Callable[[sa.Connection], object]

#: The rows are thrown away, so none has to reach the disk.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "maintenance_work_mem": "512MB"}
_CODES = ("not_found", "truncated", "decode_error", "timeout", "http_5xx", "model_error")


class Draw:
    """Random parameters, as people choose them: any of the different jobs, any label."""

    def __init__(self, database: Database, jobs: list[MadeJob], count: int) -> None:
        self.jobs = jobs
        self._uris = draw_uris(database, jobs, count)

    def job(self) -> MadeJob:
        return random.choice(self.jobs[:4])

    def name(self) -> str:
        return self.job().name

    def label(self) -> str:
        return f"label {random.randrange(LABELS)}"

    def uri(self) -> Filter:
        job, uri = random.choice(self._uris)
        return Filter(job=job.name, uri=uri)

    def start(self) -> Filter:
        job = self.job()
        folder = f"{job.folder}{random.randrange(job.size) // 1000:05}/*"
        return Filter(job=job.name, uri=folder)

    def custom_id(self) -> Filter:
        job = self.job()
        return Filter(job=job.name, custom_id=f"{job.own}{random.randrange(job.size)}")


FILTERS: dict[str, Callable[[Draw], Filter]] = {
    "everything": lambda _: Filter(),
    "job": lambda d: Filter(job=d.name()),
    "label": lambda d: Filter(label=d.label()),
    "label in a job": lambda d: Filter(job=d.name(), label=d.label()),
    "label, score": lambda d: Filter(label=d.label(), min_score=random.random()),
    "label, score in a job": lambda d: Filter(d.name(), d.label(), random.random()),
    "score": lambda _: Filter(min_score=random.random()),
    "score in a job": lambda d: Filter(job=d.name(), min_score=random.random()),
    "very high score in a job": lambda d: Filter(d.name(), min_score=1 - random.random() / 1e5),
    "low score in a job": lambda d: Filter(job=d.name(), max_score=random.random() / 10),
    "failed": lambda _: Filter(failed=True),
    "failed in a job": lambda d: Filter(job=d.name(), failed=True),
    "code": lambda _: Filter(code=random.choice(_CODES)),
    "code in a job": lambda d: Filter(job=d.name(), code=random.choice(_CODES)),
    "classified in a job": lambda d: Filter(job=d.name(), failed=False),
    "start of the uri in a job": Draw.start,
    "uri": lambda d: replace(d.uri(), job=None),
    "uri in a job": Draw.uri,
    "custom id": lambda d: replace(d.custom_id(), job=None),
    "custom id in a job": Draw.custom_id,
}
#: What one image at most has: no second page.
_UNIQUE = ("uri", "uri in a job", "custom id", "custom id in a job")


def main() -> None:
    options = read_options()
    random.seed(options.seed)
    with open_postgres(**SETTINGS) as server:
        database = open_database(server.url)
        started = time.perf_counter()
        jobs = make_rows(database, options.images)
        print(f"made in {time.perf_counter() - started:.0f} s: {describe(database)}", flush=True)
        draw = Draw(database, jobs, options.repeat)
        read_files(server.folder)
        print(f"{'ms':45}  median     p95   worst", flush=True)
        for name, ask in questions().items():
            # A count may have to look at millions of images.
            repeat = options.repeat // (5 if name.startswith("count") else 1)
            if options.only in name:
                measure(database, name, [ask(draw) for _ in range(repeat)])
        database.close()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=10_150_000)
    parser.add_argument("--repeat", type=int, default=200)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", default="", help="only the questions with this in their name")
    return parser.parse_args()


def describe(database: Database) -> str:
    size = "SELECT pg_size_pretty(pg_database_size(current_database()))"
    with database.reading() as connection:
        rows = connection.scalar(sa.text("SELECT count(*) FROM predictions"))
        return f"{rows:,} predictions, {connection.scalar(sa.text(size))}"


def questions() -> dict[str, Callable[[Draw], Read]]:
    """Return what is asked: a function that draws the parameters of one read."""
    asked: dict[str, Callable[[Draw], Read]] = {}
    for name, choose in FILTERS.items():
        asked[f"page: {name}"] = partial(_first_page, choose)
        if name not in _UNIQUE:
            asked[f"deep page: {name}"] = partial(_deep_page, choose)
        asked[f"count: {name}"] = partial(_count, choose)
    asked["jobs list"] = lambda _: lambda c: (list_jobs(c), count_jobs(c))
    asked["jobs show"] = lambda draw: partial(_show, draw.name())
    asked["chunks of a job"] = _chunks
    return asked


def measure(database: Database, name: str, reads: list[Read]) -> None:
    times = sorted(1000 * _time(database, read) for read in reads)
    p95 = times[int(0.95 * len(times))]
    print(f"{name:45} {statistics.median(times):7.1f} {p95:7.1f} {times[-1]:7.1f}", flush=True)


def read_files(folder: Path) -> None:
    """Read the database once: it is in memory as far as there is room, as after some use."""
    for path in folder.glob("base/*/*"):
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def _time(database: Database, read: Read) -> float:
    with database.reading() as connection:
        started = time.perf_counter()
        read(connection)
        return time.perf_counter() - started


def _first_page(choose: Callable[[Draw], Filter], draw: Draw) -> Read:
    return partial(list_results, wanted=choose(draw))


def _deep_page(choose: Callable[[Draw], Filter], draw: Draw) -> Read:
    wanted = choose(draw)
    job = next((one for one in draw.jobs if one.name == wanted.job), draw.jobs[0])
    cursor = write_cursor((job.id, random.randrange(job.size)))
    return partial(list_results, wanted=wanted, cursor=cursor)


def _count(choose: Callable[[Draw], Filter], draw: Draw) -> Read:
    return partial(count_results, wanted=choose(draw))


def _show(name: str, connection: sa.Connection) -> None:
    job = get_job(connection, name)
    count_by_code(connection, job)
    count_by_label(connection, job)


def _chunks(draw: Draw) -> Read:
    job = draw.job()
    return partial(list_chunks, job_id=job.id, after=random.randrange(-(-job.size // CHUNK)))


if __name__ == "__main__":
    main()
