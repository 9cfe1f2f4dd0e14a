"""The servers and the workers of the benchmarks: a real Redis, a real PostgreSQL, real processes.

Unlike those of the tests, both servers keep what they say they keep: what is committed is on the
disk, and Redis writes its file every second.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TESTS = str(Path(__file__).parents[1] / "tests")
sys.path.insert(0, _TESTS)

import sqlalchemy as sa  # noqa: E402 (the tests' folder has to be on the path first)
from postgres_server import PostgresServer, make_folder  # noqa: E402
from redis_server import RedisServer  # noqa: E402
from waiting import wait_for  # noqa: E402

from pipeline.broker import Broker  # noqa: E402
from pipeline.config import load_settings  # noqa: E402
from pipeline.database.database import Database, open_database  # noqa: E402
from pipeline.dispatcher import Dispatcher  # noqa: E402
from pipeline.producer import submit  # noqa: E402
from pipeline.queries.jobs import get_job_by_number  # noqa: E402
from pipeline.records import Dispatch, Job, JobStatus, Priority, Reference  # noqa: E402
from pipeline.sources import SourceOptions  # noqa: E402
from pipeline.tables import chunks  # noqa: E402

_BIN = Path(sys.executable).parent
COMMAND = _BIN / "imagemill"
#: A real worker, and one around the tests' engine, which computes nothing.
WORKER = (COMMAND, "worker")
NULL_WORKER = (_BIN / "celery", "-A", "null_app", "worker")
#: As a small server would have it.
_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
_ALIVE = (JobStatus.PENDING, JobStatus.RUNNING)
#: How long a worker may take to start or to stop, in seconds.
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Redis and a PostgreSQL, and a folder for the logs of workers."""

    database: Database
    broker: Broker
    postgres: PostgresServer
    redis: RedisServer
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a process that belongs to it."""
        own = {
            "IMAGEMILL_DATABASE_URL": self.postgres.url,
            "IMAGEMILL_BROKER_URL": self.redis.url,
            "PYTHONPATH": _TESTS,
        }
        return {**os.environ, **own, **more}

    @contextmanager
    def working(self, words: Sequence[object], **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have a worker meanwhile, ready when this yields; it must end well on SIGTERM."""
        log = self.folder / f"worker-{time.monotonic_ns()}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                list(map(str, words)), env=self.environment(**more), stdout=file, stderr=file
            )
        try:
            wait_for(lambda: _is_ready(process, log), _PATIENCE_S, "a ready worker")
            yield process
            process.send_signal(signal.SIGTERM)
            if process.wait(_PATIENCE_S):
                raise SystemExit(f"the worker ended badly: {log.read_text()[-2000:]}")
        finally:
            process.kill()
            process.wait()

    def submit(
        self,
        references: Iterable[Reference],
        chunk_size: int | None = None,
        priority: Priority = Priority.BULK,
        weights: str = "demo",
    ) -> int:
        """Submit a job as the command does, and return its number."""
        from workers.specs import make_spec
        from workers.weights import find_weights

        settings = load_settings(weights=weights, chunk_size=chunk_size)
        found = find_weights(weights)
        spec = make_spec(settings, found, (), SourceOptions(), None, Dispatch.BROKER, priority)
        job_id = submit(self.database, spec, references)
        Dispatcher(self.database, self.broker, settings.send_ahead).top_up(job_id)
        return job_id

    def finish(self, job_id: int, timeout_s: float = 3600.0) -> Job:
        """Return a job once it has ended; it must end well."""
        job = wait_for(lambda: self._find_ended(job_id), timeout_s, f"the end of job {job_id}")
        assert job is not None
        if job.status is not JobStatus.COMPLETED:
            raise SystemExit(f"job {job_id} ended {job.status}: {job.reason}")
        return job

    def _find_ended(self, job_id: int) -> Job | None:
        with self.database.reading() as connection:
            job = get_job_by_number(connection, job_id)
        return None if job.status in _ALIVE else job


@contextmanager
def open_postgres(**settings: str) -> Iterator[PostgresServer]:
    """Have a PostgreSQL meanwhile, with these settings over the usual ones."""
    folder = make_folder()
    with (folder / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in (_SETTINGS | settings).items())
    with PostgresServer(folder) as server:
        yield server


@contextmanager
def open_cluster(**settings: str) -> Iterator[Cluster]:
    """Have a Redis and a PostgreSQL (with these settings over the usual ones) meanwhile."""
    with (
        open_postgres(**settings) as postgres,
        RedisServer("aof") as redis,
        tempfile.TemporaryDirectory() as folder,
    ):
        database, broker = open_database(postgres.url), Broker(redis.url)
        yield Cluster(database, broker, postgres, redis, Path(folder))
        broker.close()
        database.close()


def steady_rate(database: Database, job_id: int) -> float:
    """Return a finished job's images/s between its first chunk's end and its last one's."""
    chunk = chunks.c
    look = sa.select(chunk.finished_at, chunk.last - chunk.first + 1).where(chunk.job_id == job_id)
    with database.reading() as connection:
        (first, _), *later = sorted(row._t for row in connection.execute(look))
    seconds = (later[-1][0] - first).total_seconds()
    return float(sum(images for _, images in later) / seconds)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headings, the first column to the left, the numbers to the right."""
    table = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *numbers in table:
        cells = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]), flush=True)


def _is_ready(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"the worker did not start: {log.read_text()[-2000:]}")
    return " ready" in log.read_text()
