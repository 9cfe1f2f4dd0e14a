"""The end of a job: its books are closed once no chunk of it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.ledger.books import balance, close_books
from pipeline.ledger.budget import find_excess
from pipeline.ledger.columns import ALIVE, OPEN
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from pipeline.database.database import Database

_chunk = tables.chunks.c


def complete(database: Database, job_id: int) -> bool:
    """Close the books of a job whose chunks are all done; False: not yet, or it is not alive.

    It is completed, or failed when too many of its images failed. Its counts and its histograms,
    by label and by score, are stored with it.
    Raises AssertionError when the books do not balance: a bug.
    """
    # Whoever commits the last chunk sees none open, so the others need not wait for the lock.
    if database.attempt(lambda connection: _has_open_chunk(connection, job_id), write=False):
        return False
    return database.attempt(lambda connection: _close_books(connection, job_id))


def _close_books(connection: sa.Connection, job_id: int) -> bool:
    job = lock_job(connection, job_id)
    if job is None or job.submitted_at is None or job.status not in ALIVE:
        return False
    # Look only now: what was committed while we waited for the lock counts.
    if _has_open_chunk(connection, job_id):
        return False
    counts = balance(connection, job_id)
    reason = find_excess(job, counts)
    status = JobStatus.FAILED if reason else JobStatus.COMPLETED
    close_books(connection, job_id, counts, status, reason)
    return True


def _has_open_chunk(connection: sa.Connection, job_id: int) -> bool:
    # One state after the other: for two at once PostgreSQL may walk the chunks that are done.
    found = [sa.exists().where(_chunk.job_id == job_id, _chunk.state == state) for state in OPEN]
    return bool(connection.scalar(sa.select(sa.or_(*found))))
