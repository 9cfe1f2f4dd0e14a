"""No step of the ledger reads more chunks than it is about, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from plans import FEW, Plan, Step, explain, full_steps

from pipeline import ledger, tables
from pipeline.producer import submit
from pipeline.queries.jobs import get_counts
from pipeline.records import Dispatch, JobSpec, Outcome, Priority, Provenance, Reference, Score
from pipeline.storage.rows import save_model

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Claim, Message, Model, StoredModel

IMAGES, CHUNK = 800, 4
#: Chunks of the job in the middle that are done, and those that wait in the broker.
DONE, SENT = 150, 12


@dataclass(frozen=True, slots=True)
class Busy:
    """A database with jobs that have ended, and one in the middle."""

    database: Database
    job_id: int
    model: StoredModel
    #: What waits in the broker.
    messages: list[Message]

    def claim(self, lease_s: float = 60) -> Claim:
        """Claim the next chunk that was sent."""
        message = self.messages.pop(0)
        key = (message.job_id, message.number, message.token)
        claim, _ = ledger.claim(self.database, *key, "w", lease_s)
        assert claim is not None
        return claim

    def finish(self) -> bool:
        """Claim a chunk and finish it, every image of it classified."""
        claim = self.claim()
        found = [Outcome(n, (Score(0, 0.5),)) for n in range(claim.first, claim.last + 1)]
        return ledger.finish(self.database, claim, self.model, found, Provenance())

    def unmark(self) -> bool:
        """Take back all that was sent."""
        ledger.unmark(self.database, self.messages)
        return True

    def expire(self) -> ledger.Losses:
        """Claim a chunk for no time at all, and let the lease run out."""
        self.claim(lease_s=-1)
        return ledger.expire_leases(self.database)


@pytest.fixture(params=["known", "unknown"])
def busy(request: pytest.FixtureRequest, database: Database, small_model: Model) -> Busy:
    """A job in the middle beside three that have ended; PostgreSQL's statistics know it or not."""
    for number in range(3):
        _finish_first(database, _submit(database, small_model, f"old-{number}"), IMAGES // CHUNK)
    if request.param == "unknown":
        _analyze(database)
    job_id = _submit(database, small_model, "busy")
    _finish_first(database, job_id, DONE)
    if request.param == "known":
        _analyze(database)
    with database.transaction() as conn:
        model = save_model(conn, small_model)
    messages = ledger.mark_ahead(database, job_id, SENT)
    return Busy(database, job_id, model, messages)


def _submit(database: Database, model: Model, name: str) -> int:
    spec = JobSpec(name, model, {"top_k": 2}, "hash", CHUNK, Dispatch.BROKER)
    return submit(database, spec, (Reference(f"/{n}.jpg") for n in range(IMAGES)))


def _finish_first(database: Database, job_id: int, count: int) -> None:
    """Let the first chunks of a job be done, and the job with its last."""
    chunk, job = tables.chunks, tables.jobs
    done = {"state": "done", "token": 2, "succeeded": CHUNK}
    ended = {"status": "completed", "succeeded": IMAGES, "failed": 0, "cancelled": 0}
    outcome = {"job_id": job_id, "model_id": 1, "label_id": 1, "score": 0.5}
    with database.transaction() as conn:
        mine = (chunk.c.job_id == job_id, chunk.c.number < count)
        conn.execute(sa.update(chunk).where(*mine).values(done))
        rows = [{**outcome, "index": index} for index in range(count * CHUNK)]
        conn.execute(sa.insert(tables.outcomes), rows)
        if count * CHUNK == IMAGES:
            conn.execute(sa.update(job).where(job.c.id == job_id).values(ended))


def _analyze(database: Database) -> None:
    if database.dialect == "postgresql":
        with database.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))


#: What is about few chunks: it must find them by more than their job.
OF_FEW_CHUNKS: dict[str, Callable[[Busy], object]] = {
    "mark ahead": lambda busy: ledger.mark_ahead(busy.database, busy.job_id, SENT + 4),
    "claim a message and send the next": lambda busy: busy.claim(),
    "wait": lambda busy: ledger.seconds_to_next(busy.database, busy.job_id) == 0,
    "renew": lambda busy: ledger.renew(busy.database, [busy.claim(), busy.claim()], 60),
    "list held": lambda busy: ledger.list_held(busy.database, [busy.claim(), busy.claim()]),
    "give back": lambda busy: ledger.give_back(busy.database, busy.claim()),
    "finish": Busy.finish,
    "not complete yet": lambda busy: not ledger.complete(busy.database, busy.job_id),
    "list unsent jobs": lambda busy: ledger.list_unsent_jobs(busy.database) == [busy.job_id],
    "list ended jobs": lambda busy: ledger.list_ended_jobs(busy.database) == [],
    "mark overdue": lambda busy: ledger.mark_overdue(busy.database, {Priority.BULK: 0}, -1),
    "expire": lambda busy: busy.expire().lost,
    "claim next": lambda busy: ledger.claim_next(busy.database, busy.job_id, "w", 60),
    "unmark": Busy.unmark,
}
#: What is about a whole job: no other may be read.
OF_A_JOB: dict[str, Callable[[Busy], object]] = {
    "retry": lambda busy: ledger.retry(busy.database, busy.job_id) == 0,
    "cancel": lambda busy: ledger.cancel(busy.database, busy.job_id),
    "resume": lambda busy: ledger.resume(busy.database, busy.job_id),
    "counts": lambda busy: busy.database.attempt(lambda c: get_counts(c, busy.job_id)).succeeded,
}


def test_no_step_walks_the_chunks_of_a_job(busy: Busy) -> None:
    for name, act in OF_FEW_CHUNKS.items():
        plans = _plan(busy, act)
        assert full_steps(plans) == [], name
        assert [step for plan in plans for step in plan.steps if _is_walk(step)] == [], name


def test_a_whole_job_is_read_without_the_others(busy: Busy) -> None:
    for name, act in OF_A_JOB.items():
        assert full_steps(_plan(busy, act)) == [], name


def _plan(busy: Busy, act: Callable[[Busy], object]) -> list[Plan]:
    done: list[object] = []
    plans = explain(busy.database, lambda: done.append(act(busy)))
    assert all(done), done
    return plans


def _is_walk(step: Step) -> bool:
    if step.table == "outcomes":
        return "index" not in step.condition
    known = any(word in step.condition for word in ("number", "state", "sent_at", "lease_until"))
    return step.table == "chunks" and not known and step.index not in FEW
