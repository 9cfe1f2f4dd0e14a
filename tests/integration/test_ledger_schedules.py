"""Any schedule of claims, finishes, frozen and dead workers keeps the books of a job."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipeline import ledger, tables
from pipeline.database.database import open_database
from pipeline.producer import submit
from pipeline.records import (
    Claim,
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

_MODEL = Model("small", "5a" * 32, Precision.AUTO, "1", ("cat", "dog"))
_OPEN = ("queued", "running")


@dataclass
class Worker:
    """Somebody who holds a claim, rightly or not any more, and knows what was open then."""

    claim: Claim
    work: list[int]


class Schedule(RuleBasedStateMachine):
    """Seven images in chunks of three, and workers who come late, twice or never."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a folder: thousands of small transactions.
        shm = Path("/dev/shm")
        self.folder = tempfile.mkdtemp(dir=shm if shm.is_dir() else None)
        path = shutil.copy(self.template, Path(self.folder) / "imagemill.db")
        self.database = open_database(f"sqlite:///{path}")
        self.workers: list[Worker] = []

    @initialize()
    def start(self) -> None:
        spec = JobSpec(None, _MODEL, {}, "hash", chunk_size=3)
        self.job = submit(self.database, spec, [Reference(f"/{n}.jpg") for n in range(7)])
        with self.database.transaction() as connection:
            self.model = save_model(connection, _MODEL)

    @rule()
    def claim(self) -> None:
        claim = ledger.claim_next(self.database, self.job, "test", 60)
        if claim is not None:
            self.workers.append(Worker(claim, self.open_images(claim)))

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """A worker finishes, perhaps again, perhaps long after it lost its claim."""
        worker = data.draw(st.sampled_from(self.workers))
        kinds = st.sampled_from(["cat", "dog", "failed", "passing"])
        outcomes = [self.outcome(index, data.draw(kinds)) for index in worker.work]
        final = [outcome for outcome in outcomes if outcome is not None]
        retry_in_s = None if len(final) == len(worker.work) else 0.0
        holds = self.holds(worker)
        landed = ledger.finish(
            self.database, worker.claim, self.model, final, Provenance(), retry_in_s
        )
        assert landed == holds

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        holds = self.holds(worker)
        assert ledger.give_back(self.database, worker.claim) == holds

    @rule()
    def free_leases(self) -> None:
        """The run died, or so the next one thinks; its workers may still come with an answer."""
        held = sum(self.holds(worker) for worker in self.workers)
        assert ledger.free_leases(self.database, self.job) == held

    @rule()
    def complete(self) -> None:
        ready = not any(chunk.state in _OPEN for chunk in self.chunks())
        done_before = self.status() == "completed"
        assert ledger.complete(self.database, self.job) == (ready and not done_before)

    @invariant()
    def the_books_balance(self) -> None:
        with self.database.reading() as connection:
            outcomes = connection.execute(sa.select(tables.outcomes)).all()
        for chunk in self.chunks():
            mine = [o for o in outcomes if chunk.first <= o.index <= chunk.last]
            classified = sum(o.label_id is not None for o in mine)
            assert (chunk.succeeded, chunk.failed) == (classified, len(mine) - classified)
            assert (chunk.state == "done") == (len(mine) == chunk.last - chunk.first + 1)
        assert len({o.index for o in outcomes}) == len(outcomes)
        if self.status() == "completed":
            assert len(outcomes) == 7

    def teardown(self) -> None:
        """Once the faults have stopped the job is completed, whatever was before."""
        try:
            self.work_off()
        finally:
            self.database.close()
            shutil.rmtree(self.folder)

    def work_off(self) -> None:
        ledger.free_leases(self.database, self.job)
        while claim := ledger.claim_next(self.database, self.job, "test", 60):
            rest = [self.outcome(index, "cat") for index in self.open_images(claim)]
            final = [outcome for outcome in rest if outcome is not None]
            assert ledger.finish(self.database, claim, self.model, final, Provenance())
        ledger.complete(self.database, self.job)
        assert self.status() == "completed"
        self.the_books_balance()

    def holds(self, worker: Worker) -> bool:
        chunk = self.chunks()[worker.claim.number]
        return (chunk.state, chunk.token) == ("running", worker.claim.token)

    def chunks(self) -> list[Any]:
        with self.database.reading() as connection:
            found = connection.execute(sa.select(tables.chunks).order_by(tables.chunks.c.number))
            return list(found)

    def status(self) -> str:
        with self.database.reading() as connection:
            return str(connection.execute(sa.select(tables.jobs.c.status)).scalar_one())

    def open_images(self, claim: Claim) -> list[int]:
        with self.database.reading() as connection:
            finished = set(connection.scalars(sa.select(tables.outcomes.c.index)))
        return [index for index in range(claim.first, claim.last + 1) if index not in finished]

    @staticmethod
    def outcome(index: int, kind: str) -> Outcome | None:
        if kind == "passing":
            return None
        if kind == "failed":
            return Outcome(index, failure=Failure(FailureCode.NOT_FOUND, "no file"))
        return Outcome(index, (Score(_MODEL.labels.index(kind), 0.9),))


def test_every_schedule_keeps_the_books(sqlite_template: Path) -> None:
    schedule = type("SmallSchedule", (Schedule,), {"template": sqlite_template})
    slow = [HealthCheck.too_slow]
    few = settings(max_examples=30, stateful_step_count=20, suppress_health_check=slow)
    run_state_machine_as_test(schedule, settings=few)
