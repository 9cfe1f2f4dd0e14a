"""How long the page waits for its galleries, histograms and images, of 10,000,000 images.

    .venv/bin/python benchmarks/gallery.py [--images 10150000] [--rounds 100] [--top-k 5]
        [--url http://127.0.0.1:8420]

Makes the rows by SQL in a PostgreSQL of its own (about 10 GB, gone in the end), then asks for the
first and the 1,000th page of galleries of 48 and for what stands beside them, with so many random
parameters, by the product's own functions. With ``--url`` it starts `imagemill serve` there, and
asks for the same over HTTP. Prints the median, the 95th percentile and the worst in ms.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit
from urllib.request import urlopen

from bulk_rows import MadeJob, draw_uris, make_rows
from gallery_questions import Draw, Question, draw_questions
from queries import SETTINGS, describe, read_files
from servers import COMMAND, open_postgres
from waiting import wait_for

from pipeline import ledger
from pipeline.database.database import Database, open_database

Call = Callable[[], object]


def main() -> None:
    options = read_options()
    random.seed(options.seed)
    with open_postgres(**SETTINGS) as server:
        database = open_database(server.url)
        started = time.perf_counter()
        jobs = make_rows(database, options.images, options.top_k)
        print(f"made in {time.perf_counter() - started:.0f} s: {describe(database)}", flush=True)
        read_files(server.folder)
        draw = Draw(jobs[0], draw_uris(database, jobs[:1], options.rounds))
        with serving(server.url, options.url):
            print(f"{'ms':50}  median     p95   worst", flush=True)
            ask_all(database, draw, options, ended=False)
            close(database, jobs[0])
            ask_all(database, draw, options, ended=True)
        database.close()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=10_150_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--top-k", type=int, default=5, help="predictions of each image")
    parser.add_argument("--url", help="start the server here, and ask over HTTP as well")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="only the questions with this in their name")
    return parser.parse_args()


def ask_all(database: Database, draw: Draw, options: argparse.Namespace, *, ended: bool) -> None:
    """Time every question about a job that goes on, or about one that has ended."""
    for name, choose in draw_questions(ended=ended).items():
        if options.only not in name:
            continue
        with database.reading() as connection:
            asked = [choose(connection, draw) for _ in range(options.rounds)]
        measure(name, [partial(ask, database, question) for question in asked])
        addresses = [one.address for one in asked if one.address]
        if options.url and addresses:
            measure(f"{name}, HTTP", [partial(get, options.url, one) for one in addresses])


def measure(name: str, calls: list[Call]) -> None:
    times = sorted(1000 * clock(call) for call in calls)
    p95 = times[int(0.95 * len(times))]
    print(f"{name:50} {statistics.median(times):7.1f} {p95:7.1f} {times[-1]:7.1f}", flush=True)


def clock(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def ask(database: Database, question: Question) -> None:
    with database.reading() as connection:
        question.read(connection)


def get(url: str, address: str) -> None:
    with urlopen(url.rstrip("/") + address, timeout=60) as answer:
        answer.read()


def close(database: Database, job: MadeJob) -> None:
    seconds = clock(lambda: ledger.complete(database, job.id))
    print(f"the books of {job.size:,} images were closed in {seconds:.1f} s", flush=True)


@contextmanager
def serving(database_url: str, url: str | None) -> Iterator[None]:
    """Have `imagemill serve` at ``url`` meanwhile, without a limit on requests; None: nothing."""
    if url is None:
        yield
        return
    own = {"IMAGEMILL_DATABASE_URL": database_url, "IMAGEMILL_REQUESTS_PER_S": "1000000"}
    place = urlsplit(url)
    words = [str(COMMAND), "serve", "--host", str(place.hostname), "--port", str(place.port)]
    process = subprocess.Popen(words, env={**os.environ, **own})
    try:
        wait_for(lambda: answers(process, url), 60, f"an answer at {url}")
        yield
    finally:
        process.terminate()
        process.wait()


def answers(process: subprocess.Popen[bytes], url: str) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"the server ended with {process.returncode}")
    try:
        get(url, "/healthz")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
