"""The job that a toy cluster works on: piece by piece, with images that misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from shaky_database import ShakyDatabase

from pipeline import tables
from pipeline.records import (
    Claim,
    Dispatch,
    Failure,
    FailureCode,
    JobSpec,
    Message,
    Model,
    Outcome,
    Precision,
    Reference,
    Score,
    StoredModel,
)
from pipeline.storage.rows import add_images, create_job, mark_submitted, save_model

MODEL = Model("small", "5a" * 32, Precision.AUTO, "1", ("cat", "dog"))
RETRIES = 2
_ALIVE = ("pending", "running")


@dataclass
class ToyJob:
    """What is true of its images, whoever carries them."""

    images: int
    chunk_size: int
    max_failure_rate: float | None = None
    #: Whoever has one of these in work dies.
    poison: set[int] = field(default_factory=set)
    #: These fail for good, until somebody mends them.
    broken: set[int] = field(default_factory=set)
    #: These fail so often for a passing reason.
    passing: dict[int, int] = field(default_factory=dict)
    stored: int = 0
    submitted: bool = False

    def create(self, database: ShakyDatabase) -> None:
        """Store the job without an image."""
        limits = {"retries": RETRIES, "max_failure_rate": self.max_failure_rate}
        spec = JobSpec(None, MODEL, {}, "hash", self.chunk_size, Dispatch.BROKER, **limits)  # type: ignore[arg-type]
        with database.transaction() as connection:
            self.model: StoredModel = save_model(connection, MODEL)
            self.id = create_job(connection, spec, self.model.id)

    def submit_piece(self, database: ShakyDatabase) -> None:
        """Store the images of the next chunk; with the last one the job is submitted."""
        end = min(self.stored + self.chunk_size, self.images)
        piece = [Reference(f"/{index}.jpg") for index in range(self.stored, end)]
        with database.transaction() as connection:
            add_images(connection, self.id, self.chunk_size, self.stored, piece)
            self.stored = end
            if end == self.images:
                mark_submitted(connection, self.id, end)
                self.submitted = True

    def classify(self, index: int) -> str:
        """Return what an engine says of an image now."""
        if self.passing.get(index, 0) > 0:
            self.passing[index] -= 1
            return "passing"
        return "broken" if index in self.broken else "classified"

    def judge(self, claim: Claim, results: dict[int, str]) -> tuple[list[Outcome], float | None]:
        """Return the final outcomes, and in how many seconds the rest is tried again."""
        again = claim.retries < RETRIES and "passing" in results.values()
        final = {i: what for i, what in results.items() if not (again and what == "passing")}
        return [_outcome(index, what) for index, what in final.items()], 20.0 if again else None

    def is_claimable(self, database: ShakyDatabase, message: Message) -> bool:
        """Whether the rows say that a message may be claimed."""
        chunk = self.find_chunk(database, message.number)
        [job] = database.look(sa.select(tables.jobs).filter_by(id=self.id))
        alive = job.submitted_at is not None and job.status in _ALIVE
        found = chunk and (chunk.state, chunk.token)
        return alive and found == ("queued", message.token)

    def find_chunk(self, database: ShakyDatabase, number: int) -> sa.Row[Any] | None:
        """Return the row of a chunk."""
        rows = database.look(sa.select(tables.chunks).filter_by(job_id=self.id, number=number))
        return rows[0] if rows else None

    def open_images(self, database: ShakyDatabase, first: int, last: int) -> list[int]:
        """Return the images of a range that have no outcome."""
        rows = database.look(sa.select(tables.outcomes.c.index).filter_by(job_id=self.id))
        finished = {row[0] for row in rows}
        return [index for index in range(first, last + 1) if index not in finished]


def _outcome(index: int, what: str) -> Outcome:
    if what == "classified":
        return Outcome(index, (Score(index % 2, 0.9), Score(1 - index % 2, 0.1)))
    code = FailureCode.TIMEOUT if what == "passing" else FailureCode.NOT_FOUND
    return Outcome(index, failure=Failure(code, what))
