"""Which jobs a sweep has to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.ledger.columns import ALIVE, OPEN, QUEUED, is_due
from pipeline.records import Dispatch

if TYPE_CHECKING:
    from pipeline.database.database import Database

_chunk, _job = tables.chunks.c, tables.jobs.c
#: The condition that a job's chunks go through the broker: a local run is left alone.
IS_SENDABLE = (
    _job.dispatch == str(Dispatch.BROKER),
    _job.submitted_at.is_not(None),
    _job.status.in_(ALIVE),
)


def list_unsent_jobs(database: Database) -> list[int]:
    """Return the numbers of the broker's jobs with a chunk that is due and was not sent."""
    unsent = (_chunk.state == QUEUED, _chunk.sent_at.is_(None), is_due(_chunk))
    return _list(database, sa.exists().where(_chunk.job_id == _job.id, *unsent))


def list_ended_jobs(database: Database) -> list[int]:
    """Return the numbers of the broker's jobs that have no open chunk, and are not closed yet."""
    return _list(database, ~sa.exists().where(_chunk.job_id == _job.id, _chunk.state.in_(OPEN)))


def _list(database: Database, condition: sa.ColumnElement[bool]) -> list[int]:
    look = sa.select(_job.id).where(*IS_SENDABLE, condition).order_by(_job.id)
    return database.attempt(lambda c: list(c.scalars(look)), write=False)
