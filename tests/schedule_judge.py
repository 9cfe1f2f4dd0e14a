"""The judge of a toy cluster: what must hold after every step, whatever was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from job_books import recount
from toy_cluster import ToyCluster

from pipeline import tables

_STOPPED = ("cancelled", "failed")
_chunk, _outcome = tables.chunks.c, tables.outcomes.c


@dataclass(frozen=True)
class Snapshot:
    """The rows of the job at one moment."""

    job: sa.Row[Any]
    chunks: dict[int, sa.Row[Any]]
    #: Label and code by index.
    outcomes: dict[int, tuple[int | None, str | None]]

    def open_images(self, number: int) -> list[int]:
        chunk = self.chunks[number]
        return [i for i in range(chunk.first, chunk.last + 1) if i not in self.outcomes]


class Judge:
    """Compares the rows with what was true before, and with what must always be true."""

    def __init__(self, cluster: ToyCluster) -> None:
        self._cluster = cluster
        self._numbers: set[int] = set()
        self._counted: Snapshot | None = None
        self._before = self.look()

    @property
    def status(self) -> str:
        """The job's status at the last check."""
        return str(self._before.job.status)

    @property
    def is_worked_off(self) -> bool:
        """Whether every chunk was done at the last check."""
        return all(chunk.state == "done" for chunk in self._before.chunks.values())

    def look(self) -> Snapshot:
        """Read the rows."""
        look, job_id = self._cluster.database.look, self._cluster.job.id
        [job] = look(sa.select(tables.jobs).filter_by(id=job_id))
        of_job = sa.select(tables.chunks).filter_by(job_id=job_id)
        found = sa.select(_outcome.index, _outcome.label_id, _outcome.code)
        return Snapshot(
            job,
            {chunk.number: chunk for chunk in look(of_job.order_by(_chunk.first))},
            {row[0]: tuple(row)[1:] for row in look(found.filter_by(job_id=job_id))},
        )

    def check(self, *acts: str) -> None:
        """Raise AssertionError when a promise is broken; ``acts`` are what a user did just now."""
        now = self.look()
        self._check_chunks(now)
        self._check_job(now)
        self._check_outcomes(now)
        self._compare_tokens(now)
        self._compare_outcomes(now, "retry" in acts)
        if "resume" not in acts and "retry" not in acts:
            before, after = self._before.job.status, now.job.status
            assert before not in (*_STOPPED, "completed") or after == before, (before, after)
        self._before = now

    def check_books(self) -> None:
        """Compare the rows with what people read, if they have changed since the last time."""
        if self._cluster.job.submitted and self._counted != self._before:
            self._counted = self._before
            recount(self._cluster.database, self._cluster.job.id)

    def _check_chunks(self, now: Snapshot) -> None:
        expected, waiting = 0, 0
        for number, chunk in now.chunks.items():
            assert chunk.first == expected, "chunks leave no image out, and share none"
            expected = chunk.last + 1
            codes = [now.outcomes[i][1] for i in range(chunk.first, expected) if i in now.outcomes]
            failed = sum(code is not None for code in codes)
            assert (chunk.succeeded, chunk.failed) == (len(codes) - failed, failed), chunk
            assert (chunk.state == "done") == (not now.open_images(number)), chunk
            assert (chunk.state == "running") == (chunk.lease_until is not None), chunk
            waiting += chunk.state == "queued" and chunk.sent_at is not None
        assert expected == self._cluster.job.stored
        assert waiting <= self._cluster.send_ahead, f"{waiting} messages wait"

    def _check_job(self, now: Snapshot) -> None:
        states = {chunk.state for chunk in now.chunks.values()}
        if not self._cluster.job.submitted:
            assert now.job.status == "pending"
            assert states <= {"queued"}
            assert all(chunk.sent_at is None for chunk in now.chunks.values())
        if now.job.status == "completed":
            assert states == {"done"}
            assert len(now.outcomes) == self._cluster.job.images
        if now.job.status in _STOPPED:
            assert states <= {"done", "cancelled"}
        else:
            assert "cancelled" not in states

    def _check_outcomes(self, now: Snapshot) -> None:
        job = self._cluster.job
        for index, (label, code) in now.outcomes.items():
            assert code is not None or label == job.model.label_ids[index % 2]
            assert (code == "worker_crashed") == (index in job.poison), f"image {index}: {code}"

    def _compare_tokens(self, now: Snapshot) -> None:
        for number, chunk in now.chunks.items():
            before = self._before.chunks.get(number)
            if before is None:
                assert number not in self._numbers, f"number {number} was given again"
                continue
            changed = (before.state, self._before.open_images(number)) != (
                chunk.state,
                now.open_images(number),
            )
            assert chunk.token > before.token or (chunk.token == before.token and not changed)
        self._numbers |= set(now.chunks)

    def _compare_outcomes(self, now: Snapshot, retried: bool) -> None:
        for index, outcome in self._before.outcomes.items():
            undone = retried and outcome[1] is not None
            assert undone or now.outcomes.get(index) == outcome, f"image {index} lost its outcome"
