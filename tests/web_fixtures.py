"""A real server in a thread of the tests, with small jobs in its database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import sqlalchemy as sa
from waiting import wait_for

from pipeline import ledger, tables
from pipeline.config import Settings, load_settings
from pipeline.database.database import Database, open_database
from pipeline.producer import submit
from pipeline.queries.jobs import get_job
from pipeline.records import (
    Failure,
    FailureCode,
    JobSpec,
    Model,
    Outcome,
    Precision,
    Provenance,
    Reference,
    Score,
)
from pipeline.storage.rows import save_model
from pipeline.web.app import make_app
from pipeline.web.server import Server, address_of, listen

#: Nobody listens there.
NO_BROKER = "redis://127.0.0.1:1/0"
LABELS = ("dog", "cat", "<script>alert(1)</script>", "bird")
MODEL = Model("small", "5a" * 32, Precision.AUTO, "1", LABELS)
_MADE = Provenance((4, 2), 5.0, 10.0, 20.0, 30.0, "torch", "cpu", {"torch": "2"})


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its address, its settings, and the database that it uses."""

    address: str
    settings: Settings
    database: Database


@contextmanager
def running(database_url: str, loopback: bool = True, **options: Any) -> Iterator[Serving]:
    """Run a server in a thread; it listens on loopback in any case."""
    with TemporaryDirectory(prefix="im-web") as folder:
        places = {"uploads": Path(folder) / "uploads", "thumbnails": Path(folder) / "thumbnails"}
        usual: dict[str, Any] = {"broker_url": NO_BROKER, "requests_per_s": 100_000.0, **places}
        settings = load_settings(**{**usual, **options, "database_url": database_url})
        with closing(open_database(database_url)) as database:
            listener = listen("127.0.0.1", 0)
            server = Server(make_app(settings, database, loopback=loopback))
            thread = threading.Thread(target=server.run, args=([listener],), name="web")
            thread.start()
            try:
                wait_for(lambda: server.started, 30, "the server's start", 0.01)
                yield Serving(address_of(listener), settings, database)
            finally:
                server.should_exit = True
                thread.join(30)
                listener.close()
        assert not thread.is_alive(), "the server did not end"


@contextmanager
def serving(database_url: str, **options: Any) -> Iterator[str]:
    """Run a server in a thread, and yield its address."""
    with running(database_url, **options) as server:
        yield server.address


@contextmanager
def asking(server: Serving, token: str | None = None) -> Iterator[httpx.Client]:
    """Yield a client of the server that follows no redirect and knows no proxy."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=server.address, headers=headers, timeout=30, trust_env=False
    ) as client:
        yield client


def make_job(
    database: Database,
    name: str | None = None,
    uris: tuple[str, ...] = (),
    custom_ids: tuple[str | None, ...] = (),
    shift: int = 0,
    finish: bool = True,
    options: dict[str, object] | None = None,
    chunk_size: int = 4,
) -> int:
    """Store a job of a dozen images (or of these uris), and finish it; every sixth fails."""
    uris = uris or tuple(f"/pictures/{n:02}.jpg" for n in range(12))
    ids = custom_ids or tuple(f"id-{n}" for n in range(len(uris)))
    spec = JobSpec(name, MODEL, {"top_k": 3, **(options or {})}, "hash", chunk_size)
    references = [Reference(uri, own) for uri, own in zip(uris, ids, strict=True)]
    job_id = submit(database, spec, references)
    with database.transaction() as connection:
        stored = save_model(connection, MODEL)
    while finish and (claim := ledger.claim_next(database, job_id, "test", 60)):
        outcomes = [outcome(n, shift) for n in range(claim.first, claim.last + 1)]
        ledger.finish(database, claim, stored, outcomes, _MADE)
    if finish:
        assert ledger.complete(database, job_id)
    return job_id


def outcome(index: int, shift: int = 0) -> Outcome:
    """Return what became of an image: labels in turn, scores that differ; every sixth fails."""
    if index % 6 == 5:
        return Outcome(index, failure=Failure(FailureCode.NOT_FOUND, "there is no such file"))
    best = (index + shift * (index % 4 == 0)) % len(LABELS)
    score = 0.5 + index / 50
    return Outcome(index, (Score(best, score), Score((best + 1) % len(LABELS), 1 - score)))


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Fail unless the answer is a problem with this status and code; return its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert {"type", "title", "status", "detail", "code"} == set(said)
    assert (said["status"], said["code"]) == (status, code)
    return str(said["detail"])


def images_of(server: Serving, job: str) -> list[tuple[str, str | None]]:
    """Return the uri and the custom id of each image of a job."""
    with server.database.reading() as connection:
        job_id = get_job(connection, job).id
        image = tables.images.c
        query = sa.select(image.uri, image.custom_id).where(image.job_id == job_id)
        return [(row[0], row[1]) for row in connection.execute(query.order_by(image.index))]
