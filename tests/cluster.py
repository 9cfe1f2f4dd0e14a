"""A small cluster: real worker processes around a database and a broker, with short times."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from cluster_worker import Worker
from job_books import recount
from null_engine import answer
from programs import PATIENCE_S, PYTHONPATH, Nursery, Program
from redis import Redis
from waiting import wait_for

from pipeline import tables
from pipeline.broker import QUEUES, Broker
from pipeline.config import load_settings
from pipeline.database.database import open_database
from pipeline.queries.jobs import get_job_by_number
from pipeline.records import Counts, ImageRef, Job, Priority
from pipeline.sources import SourceOptions
from workers.submission import Submission, Submitted, submit_job

#: A broker's address where nobody listens.
NOBODY = "redis://127.0.0.1:1/0"
#: Settings of every worker, in seconds; tests shorten some further.
SHORT = {"LEASE_S": "2", "SWEEP_S": "0.5", "RESEND_S": "2", "DRAIN_S": "20"}


class Cluster:
    """Workers around one database and one broker; ``broker`` may be a proxy's address."""

    def __init__(self, nursery: Nursery, folder: Path, database: str, broker: str) -> None:
        self.database = open_database(database)
        self.broker = broker
        self._nursery = nursery
        self._folder = folder
        self._own = {"DATABASE_URL": database, "BROKER_URL": broker, "METRICS_PORT": "0"}
        self._programs: list[Program] = []

    def start(self, app: str = "null_app", python_path: str = "", **settings: str) -> Worker:
        """Start a worker without waiting for it; settings by name (``LEASE_S="1"``).

        With a ``python_path``, folders that go before ours, it takes a new interpreter.
        """
        options = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        words = ["celery", "--quiet", "-A", app, "worker", *options]
        return Worker(self.run(*words, python_path=python_path, **settings))

    def run(self, *words: str, python_path: str = "", **settings: str) -> Program:
        """Start any ``python -m WORDS`` with the cluster's settings."""
        named = {**SHORT, "DEVICE": "cpu", "CONCURRENCY": "4", **self._own, **settings}
        environment = {f"IMAGEMILL_{name}": value for name, value in named.items()}
        if python_path:
            environment["PYTHONPATH"] = os.pathsep.join([python_path, PYTHONPATH])
        program = self._nursery.start(words, environment, self._folder, afresh=bool(python_path))
        self._programs.append(program)
        return program

    def submit(self, *uris: str, chunk_size: int = 4, name: str | None = None) -> int:
        """Submit a job of these images as `imagemill submit` does; return its number."""
        job_id, unsent = self.try_to_submit(*uris, chunk_size=chunk_size, name=name)
        assert unsent is None
        return job_id

    def store(self, *uris: str, chunk_size: int = 4) -> int:
        """Store a job of which nothing was sent, as if the broker had been away."""
        return self.try_to_submit(*uris, chunk_size=chunk_size, broker=NOBODY)[0]

    def submit_folder(self, folder: Path) -> int:
        """Submit a job of a folder's pictures; return its number."""
        return self._submit((str(folder),), "", 4, None, self.broker).job.id

    def try_to_submit(
        self, *uris: str, chunk_size: int = 4, name: str | None = None, broker: str | None = None
    ) -> tuple[int, str | None]:
        """Submit a job; return its number, and why nothing of it could be sent yet."""
        text = "".join(f"{uri}\n" for uri in uris)
        stored = self._submit(("-",), text, chunk_size, name, broker or self.broker)
        return stored.job.id, stored.unsent

    def _submit(
        self, sources: tuple[str, ...], text: str, chunk_size: int, name: str | None, broker: str
    ) -> Submitted:
        settings = load_settings(weights="demo", chunk_size=chunk_size)
        with closing(Broker(broker)) as sending:
            return submit_job(
                Submission(
                    *(self.database, sending, settings, sources, SourceOptions(), name),
                    *(Priority.BULK, None, io.StringIO(text)),
                )
            )

    def job(self, job_id: int) -> Job:
        """Return a job as it is now."""
        with self.database.reading() as connection:
            return get_job_by_number(connection, job_id)

    def wait_until_done(self, job_id: int, within_s: float = 0.0) -> float:
        """Wait for the end of a job, ``within_s`` and a busy machine's delay; return how long."""
        started = time.monotonic()
        wait_for(lambda: self.job(job_id).finished_at, within_s + PATIENCE_S, f"job {job_id}'s end")
        return time.monotonic() - started

    def wait_until_running(self, job_id: int, chunks: int = 1) -> None:
        """Wait until so many chunks of a job are in some worker's hands."""
        wait_for(lambda: self.count_chunks(job_id, "running") >= chunks, PATIENCE_S, "a claim")

    def count_chunks(self, job_id: int, state: str) -> int:
        """Return how many chunks of a job are in a state."""
        return sum(chunk["state"] == state for chunk in self.chunks(job_id))

    def chunks(self, job_id: int) -> list[dict[str, object]]:
        """Return the rows of a job's chunks."""
        rows = sa.select(tables.chunks).where(tables.chunks.c.job_id == job_id)
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(rows)]

    def check(self, job_id: int, but: Sequence[str] = ()) -> Counts:
        """Recount a completed job from its rows; each answer is the engine's, but for ``but``."""
        counts = recount(self.database, job_id)
        assert self.job(job_id).status == "completed"
        assert counts.succeeded + counts.failed == counts.total
        for index, uri, label, code in self._outcomes(job_id):
            if uri not in but:
                (made,) = answer([ImageRef(index, uri)], 1).outcomes
                expected = (
                    (None, made.failure.code) if made.failure else (made.scores[0].index, None)
                )
                assert (label, code) == expected, uri
        return counts

    def find_code(self, job_id: int, uri: str) -> str | None:
        """Return the code of an image's failure; None: it has none."""
        (code,) = [code for _, its, _, code in self._outcomes(job_id) if its == uri]
        return code

    def wait_until_queues_are_empty(self) -> None:
        """Wait until no message waits.

        What the dead had in their hands, or what could not be acknowledged, comes back after
        Celery's visibility timeout, minutes later, and is refused then.
        """
        self._wait_until_gone(*QUEUES.values())

    def wait_until_broker_is_empty(self) -> None:
        """Wait until no message is left, in a queue or in anybody's hands."""
        self._wait_until_gone(*QUEUES.values(), "unacked", "unacked_index")

    def _wait_until_gone(self, *names: str) -> None:
        with Redis.from_url(self.broker, socket_timeout=5) as client:
            wait_for(lambda: not client.exists(*names), PATIENCE_S, "the broker's emptiness")

    def close(self) -> None:
        """Kill what still lives."""
        for program in self._programs:
            program.kill()
        self.database.close()

    def _outcomes(self, job_id: int) -> list[tuple[int, str, int | None, str | None]]:
        image, outcome, label = tables.images.c, tables.outcomes.c, tables.labels.c
        joined = tables.images.outerjoin(
            tables.outcomes, sa.and_(image.job_id == outcome.job_id, image.index == outcome.index)
        ).outerjoin(tables.labels, outcome.label_id == label.id)
        rows = sa.select(image.index, image.uri, label.index, outcome.code).select_from(joined)
        with self.database.reading() as connection:
            found = connection.execute(rows.where(image.job_id == job_id))
            return [tuple(row) for row in found]
