"""What --skip-known saves of a second run, and what --reuse costs and gains.

    .venv/bin/python benchmarks/known.py FOLDER [--images 10000] [--new 100] [--reused 1000]

First `run` over links to the pictures of FOLDER, then again with --skip-known over the same links
and a few new pictures. Then, in the same database, rounds of four jobs each over pictures of
bytes of their own: new to the database or known to it, without and with --reuse. Times are
without start-up: from the call until the job is stored, and from its first claim to its end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path

from pipeline import api
from pipeline.records import Job

_numbers = count()


@dataclass(frozen=True, slots=True)
class Bench:
    """Pictures, and a folder for the database and what is made of the pictures."""

    pictures: list[Path]
    folder: Path
    weights: str

    def run(
        self, *sources: Path, skip_known: bool = False, reuse: bool = False
    ) -> tuple[float, Job]:
        """Run one job here; return its seconds without start-up, and the job."""
        stored: list[float] = []
        started = time.perf_counter()
        report = api.run(
            [str(source) for source in sources],
            skip_known=skip_known,
            reuse=reuse,
            on_progress=lambda _: stored.append(time.perf_counter()),
            weights=self.weights,
            database_url=f"sqlite:///{self.folder / 'imagemill.db'}",
        )
        job = report.job
        if job.started_at is None or job.finished_at is None or job.counts.failed:
            raise SystemExit(f"the job did not end well: {job.counts}")
        carried = (job.finished_at - job.started_at).total_seconds()
        return stored[0] - started + carried, job

    def link(self, images: int) -> Path:
        """Return a folder of so many links to the pictures."""
        folder = self._make_folder()
        for number, picture in enumerate(islice(cycle(self.pictures), images)):
            (folder / f"{number:06}.jpg").symlink_to(picture.absolute())
        return folder

    def copy(self, images: int) -> Path:
        """Return a folder of so many copies, each with bytes of its own behind the picture."""
        folder = self._make_folder()
        for number, picture in enumerate(islice(cycle(self.pictures), images)):
            data = picture.read_bytes() + f"{folder.name} {number}".encode()
            (folder / f"{number:06}.jpg").write_bytes(data)
        return folder

    def _make_folder(self) -> Path:
        folder = self.folder / f"pictures-{next(_numbers)}"
        folder.mkdir()
        return folder


def main() -> None:
    options = read_options()
    pictures = sorted(path for path in options.folder.iterdir() if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pictures, Path(folder), options.weights)
        bench.run(bench.copy(1))  # What is loaded once in a process is loaded now.
        skip_known(bench, options.images, options.new)
        rounds = list(reuse(bench, options.reused, options.rounds))
    cost, gain = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"median: --reuse takes {cost:.2f} times as long where nothing is known, ", end="")
    print(f"{gain:.2f} times where everything is")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--new", type=int, default=100)
    parser.add_argument("--reused", type=int, default=1000, help="images of a job with --reuse")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def skip_known(bench: Bench, images: int, new: int) -> None:
    """Print how much of the time of a first run a second one with --skip-known takes."""
    old, fresh = bench.link(images), bench.copy(new)
    first, _ = bench.run(old)
    second, job = bench.run(old, fresh, skip_known=True)
    if (job.counts.total, job.skipped) != (new, images):
        raise SystemExit(f"not only the new ones were classified: {job.counts}")
    print(
        f"{images:,} images in {first:.2f} s; with --skip-known and {new:,} new ones beside them "
    )
    print(f"in {second:.2f} s: {second / first:.1%}", flush=True)


def reuse(bench: Bench, images: int, rounds: int) -> Iterator[tuple[float, float]]:
    """Print the rates of four jobs each round; yield times with --reuse over those without."""
    for number in range(rounds):
        one, other = bench.copy(images), bench.copy(images)
        unknown, known = (bench.run(one)[0] for _ in range(2))
        asked, none = bench.run(other, reuse=True)
        taken, every = bench.run(one, reuse=True)
        if (none.reused, every.reused) != (0, images):
            raise SystemExit(f"reused were {none.reused} and {every.reused}")
        rates = ", ".join(f"{images / s:.0f}" for s in (unknown, asked, known, taken))
        print(f"round {number + 1}: images/s unknown, with --reuse, known, with --reuse: {rates}")
        yield asked / unknown, taken / known


if __name__ == "__main__":
    main()
