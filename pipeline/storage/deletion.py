"""The deletion of a job: in pieces, and so that it can be killed at any point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from pipeline.database.database import Database

_ENDED = (str(JobStatus.COMPLETED), str(JobStatus.FAILED), str(JobStatus.CANCELLED))
#: Images (or chunks) that one transaction covers.
_AT_ONCE = 10_000


def delete_job(database: Database, job_id: int, ended_for_s: float | None = None) -> bool:
    """Delete a job with all its rows, in pieces; models and labels stay.

    With ``ended_for_s`` only if it ended that long ago by the database's clock; False: it did not,
    or it is gone. Killed half way it leaves a job that is not submitted: nothing claims it, and
    deleting it again, or submitting under its name, finishes the work.
    """
    if not database.attempt(partial(_withdraw, job_id, ended_for_s)):
        return False
    while True:
        # Chunks first: a finish that comes later finds no row, and writes nothing.
        for table in (tables.chunks, tables.predictions, tables.outcomes, tables.images):
            _delete_rows(database, table, job_id)
        if database.attempt(lambda connection: _delete_empty_job(connection, job_id)):
            return True


def has_ended(ended_for_s: float) -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``jobs`` ended that long ago."""
    ended = tables.jobs.c.status.in_(_ENDED)
    return sa.and_(ended, tables.jobs.c.finished_at < from_now(-ended_for_s))


def _withdraw(job_id: int, ended_for_s: float | None, connection: sa.Connection) -> bool:
    lock_job(connection, job_id)
    job = tables.jobs
    values = {
        "submitted_at": None,
        "status": str(JobStatus.CANCELLED),
        "reason": "its deletion was interrupted; delete it again",
        # A job that was being deleted counts as ended, if nobody comes to end that.
        "finished_at": sa.func.coalesce(job.c.finished_at, from_now()),
    }
    # Look only now: a job that was resumed meanwhile has not ended.
    mine = [job.c.id == job_id] + ([] if ended_for_s is None else [has_ended(ended_for_s)])
    return connection.execute(sa.update(job).where(*mine).values(values)).rowcount == 1


def _delete_rows(database: Database, table: sa.Table, job_id: int) -> None:
    position: int | None = 0
    while position is not None:
        position = database.attempt(partial(_delete_piece, table, job_id, position))


def _delete_piece(
    table: sa.Table, job_id: int, position: int, connection: sa.Connection
) -> int | None:
    key = table.c.number if table is tables.chunks else table.c.index
    mine = (table.c.job_id == job_id, key >= position)
    first: int | None = connection.scalar(sa.select(sa.func.min(key)).where(*mine))
    if first is None:
        return None
    end = first + _AT_ONCE
    connection.execute(sa.delete(table).where(*mine, key < end))
    return end


def _delete_empty_job(connection: sa.Connection, job_id: int) -> bool:
    # A producer that is still alive adds its pieces under this lock: look once more.
    lock_job(connection, job_id)
    image = tables.images.c
    if connection.scalar(sa.select(image.index).where(image.job_id == job_id).limit(1)) is None:
        connection.execute(sa.delete(tables.webhooks).where(tables.webhooks.c.job_id == job_id))
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == job_id))
        return True
    return False
