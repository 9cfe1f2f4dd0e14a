"""Downloads: how fast they are alone, in the whole pipeline, and beside hosts that do not answer.

    .venv/bin/python benchmarks/urls.py FOLDER [--images 3000] [--rounds 3] [--weights demo]

A server of our own on this machine serves the pictures of FOLDER. Prints the images/s of

- downloads with decoding and the model switched off;
- `run` over files, and over the same pictures' URLs, in turn;
- `run` over URLs of which one in twenty leads to a host that never answers: of the good ones.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dataclasses import replace

import sqlalchemy as sa
from echo import OPTIONS, Echo
from fast_host import fast_host, list_urls
from servers import COMMAND, print_table
from undecoded import Undecoded

from pipeline.database.database import open_database
from pipeline.fetch.limits import FetchLimits
from pipeline.records import ImageRef, Precision
from pipeline.tables import chunks, outcomes
from workers.engine.engine import Engine

NAMES = ("downloads alone", "run, files", "run, URLs", "URLs beside a silent host")


def main() -> None:
    options = read_options()
    with fast_host(options.folder) as port:
        rounds = [measure(options, port) for _ in range(options.rounds)]
    print_table(
        ["images/s", "median", "lowest", "highest"],
        [
            [name, *(f"{of(column):.1f}" for of in (statistics.median, min, max))]
            for name, column in zip(NAMES, zip(*rounds, strict=True), strict=True)
        ],
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure(options: argparse.Namespace, port: int) -> tuple[float, ...]:
    urls = list_urls(options.folder, port, options.images)
    files = sorted(str(path.absolute()) for path in options.folder.iterdir())
    row = (
        download_rate(urls * 4, port),
        run_rate(list(itertools.islice(itertools.cycle(files), options.images)), options, port),
        run_rate(urls, options, port),
        run_rate(mix(urls, port), options, port),
    )
    print(
        ", ".join(f"{name} {rate:.1f}" for name, rate in zip(NAMES, row, strict=True)), flush=True
    )
    return row


def mix(urls: list[str], port: int) -> list[str]:
    """Return the addresses with one that is never answered behind every nineteen of them."""
    silent = (f"http://localhost:{port}/silent/{n}" for n in itertools.count())
    return [
        url
        for start in range(0, len(urls), 19)
        for url in [*urls[start : start + 19], next(silent)]
    ]


def download_rate(urls: list[str], port: int) -> float:
    """Return how many downloads a second an engine gets through that does nothing else."""
    limits = FetchLimits(2**28, private_hosts=("127.0.0.1",), ports=(port,))
    engine = Engine(Echo(), Undecoded(Precision.AUTO, 1, limits), replace(OPTIONS, piece=8))
    images = [ImageRef(n, url) for n, url in enumerate(urls)]
    engine.submit(images[:256], 1).result()
    started = time.monotonic()
    futures = [engine.submit(images[n : n + 64], 1) for n in range(256, len(images), 64)]
    for future in futures:
        future.result()
    rate = (len(images) - 256) / (time.monotonic() - started)
    engine.close()
    return rate


def run_rate(uris: list[str], options: argparse.Namespace, port: int) -> float:
    """Return the images/s that `run` classifies, from its first claim to its last chunk's end."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "pictures.txt"
        manifest.write_text("".join(f"{uri}\n" for uri in uris))
        url = f"sqlite:///{folder}/imagemill.db"
        settings = {
            "IMAGEMILL_DATABASE_URL": url,
            "IMAGEMILL_ALLOW_PRIVATE_HOSTS": "127.0.0.1,localhost",
            "IMAGEMILL_ALLOW_PORTS": str(port),
            "IMAGEMILL_RETRIES": "0",
        }
        words = [COMMAND, "run", manifest, "--weights", options.weights]
        subprocess.run(words, env=os.environ | settings, capture_output=True, check=True)
        return classified_rate(url)


def classified_rate(url: str) -> float:
    database = open_database(url)
    good = sa.select(sa.func.count()).where(outcomes.c.code.is_(None))
    span = sa.select(sa.func.min(chunks.c.started_at), sa.func.max(chunks.c.finished_at))
    with database.reading() as connection:
        number = connection.scalar(good) or 0
        began, ended = connection.execute(span).one()
    database.close()
    rate: float = number / (ended - began).total_seconds()
    return rate


if __name__ == "__main__":
    main()
