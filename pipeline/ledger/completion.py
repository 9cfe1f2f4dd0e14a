"""The end of a job: its books are closed once no chunk of it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.records import ChunkState, JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from pipeline.database.database import Database

_ALIVE = (str(JobStatus.PENDING), str(JobStatus.RUNNING))
_OPEN = (str(ChunkState.QUEUED), str(ChunkState.RUNNING))
_chunk = tables.chunks.c


def complete(database: Database, job_id: int) -> bool:
    """Close the books of a job whose chunks are all done; False: not yet, or it is not alive.

    Stores the counts and the histogram ``{label: images}`` with the job.
    Raises AssertionError when the books do not balance: a bug.
    """
    # Whoever commits the last chunk sees none open, so the others need not wait for the lock.
    if database.attempt(lambda connection: _has_open_chunk(connection, job_id), write=False):
        return False
    return database.attempt(lambda connection: _close_books(connection, job_id))


def _close_books(connection: sa.Connection, job_id: int) -> bool:
    job = lock_job(connection, job_id)
    if job is None or job.submitted_at is None or job.status not in _ALIVE:
        return False
    # Look only now: what was committed while we waited for the lock counts.
    if _has_open_chunk(connection, job_id):
        return False
    counts = _sum_chunks(connection, job_id)
    if sum(counts.values()) != job.total:
        raise AssertionError(f"the books of job {job_id} do not balance: {counts} of {job.total}")
    books = {
        **counts,
        "status": str(JobStatus.COMPLETED),
        "histogram": _count_labels(connection, job_id),
        "finished_at": from_now(),
    }
    connection.execute(sa.update(tables.jobs).where(tables.jobs.c.id == job_id).values(books))
    return True


def _has_open_chunk(connection: sa.Connection, job_id: int) -> bool:
    look = sa.select(_chunk.number).where(_chunk.job_id == job_id, _chunk.state.in_(_OPEN))
    return connection.scalar(look.limit(1)) is not None


def _sum_chunks(connection: sa.Connection, job_id: int) -> dict[str, int]:
    open_images = _chunk.last - _chunk.first + 1 - _chunk.succeeded - _chunk.failed
    cancelled = sa.case((_chunk.state == str(ChunkState.CANCELLED), open_images), else_=0)
    sums: dict[str, Any] = {
        "succeeded": _chunk.succeeded,
        "failed": _chunk.failed,
        "cancelled": cancelled,
    }
    columns = [sa.func.coalesce(sa.func.sum(column), 0) for column in sums.values()]
    row = connection.execute(sa.select(*columns).where(_chunk.job_id == job_id)).one()
    return {name: int(value) for name, value in zip(sums, row, strict=True)}


def _count_labels(connection: sa.Connection, job_id: int) -> dict[str, int]:
    outcome, label = tables.outcomes.c, tables.labels.c
    images = sa.func.count().label("images")
    # Sum by id first: labels join a few rows, not millions.
    by_id = sa.select(outcome.label_id, images).where(
        outcome.job_id == job_id, outcome.label_id.is_not(None)
    )
    summed = by_id.group_by(outcome.label_id).subquery()
    named = sa.select(label.label, summed.c.images).join(summed, summed.c.label_id == label.id)
    rows = connection.execute(named.order_by(summed.c.images.desc(), label.label))
    return {row.label: row.images for row in rows}
