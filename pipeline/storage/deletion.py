"""The deletion of a job: in pieces, and so that it can be killed at any point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from pipeline.database.database import Database

#: Images (or chunks) that one transaction covers.
_AT_ONCE = 10_000


def delete_job(database: Database, job_id: int) -> None:
    """Delete a job with all its rows, in pieces; models and labels stay.

    Killed half way it leaves a job that is not submitted: nothing claims it, and deleting it
    again, or submitting under its name, finishes the work.
    """
    database.attempt(lambda connection: _withdraw(connection, job_id))
    while True:
        # Chunks first: a finish that comes later finds no row, and writes nothing.
        for table in (tables.chunks, tables.predictions, tables.outcomes, tables.images):
            _delete_rows(database, table, job_id)
        if database.attempt(lambda connection: _delete_empty_job(connection, job_id)):
            return


def _withdraw(connection: sa.Connection, job_id: int) -> None:
    lock_job(connection, job_id)
    values = {
        "submitted_at": None,
        "status": str(JobStatus.CANCELLED),
        "reason": "its deletion was interrupted; delete it again",
    }
    connection.execute(sa.update(tables.jobs).where(tables.jobs.c.id == job_id).values(values))


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
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == job_id))
        return True
    return False
