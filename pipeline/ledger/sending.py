"""Sending: which chunks wait in the broker, so that few do, and none is forgotten there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import QUEUED, is_due
from pipeline.ledger.jobs import IS_SENDABLE
from pipeline.queries.jobs import list_open_images
from pipeline.records import Message, Priority
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.database.database import Database

    _Row = sa.Row[*tuple[Any, ...]]

#: Chunks that one sweep sends again at most.
_AT_ONCE = 1000
_chunk, _job = tables.chunks.c, tables.jobs.c
_SENT = (_chunk.job_id, _chunk.number, _chunk.token, _chunk.first, _chunk.last, _chunk.solo)
_IS_WAITING = (_chunk.state == QUEUED, _chunk.sent_at.is_not(None))


def mark_ahead(database: Database, job_id: int, send_ahead: int) -> list[Message]:
    """Mark chunks of a job as sent until ``send_ahead`` wait; return the messages to send now."""
    return database.attempt(partial(_mark_ahead, job_id, send_ahead))


def mark_next(connection: sa.Connection, job_id: int, count: int) -> list[Message]:
    """Mark the job's next ``count`` unsent chunks as sent, and return their messages.

    Only for who holds the job's lock, or has taken as many out of those that wait.
    """
    unsent = tables.chunks.alias("unsent").c
    following = (
        sa.select(unsent.number)
        .where(
            unsent.job_id == job_id,
            unsent.state == QUEUED,
            unsent.sent_at.is_(None),
            is_due(unsent),
        )
        .order_by(unsent.number)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    # An array, taken once: a subquery in its place may be run again for every row.
    numbers = connection.scalars(following).all()
    if not numbers:
        return []
    marked = sa.update(tables.chunks).where(_chunk.job_id == job_id, _chunk.number.in_(numbers))
    rows = connection.execute(marked.values(sent_at=from_now()).returning(*_SENT)).all()
    return _messages(connection, sorted(rows, key=lambda row: row.number))


def mark_overdue(
    database: Database, lengths: dict[Priority, int], resend_s: float
) -> list[Message]:
    """Mark what was sent ``resend_s`` ago as sent now, and return the messages to send again.

    ``lengths`` are the messages in each queue: only while a queue is shorter than the number of
    chunks that should wait in it, one of them was lost.
    """
    return [
        message
        for priority, length in lengths.items()
        for message in database.attempt(partial(_mark_overdue, priority, length, resend_s))
    ]


def unmark(database: Database, messages: Sequence[Message]) -> None:
    """Take back that these were sent: the broker did not take them."""
    keys = [(message.job_id, message.number, message.token) for message in messages]
    mine = sa.tuple_(_chunk.job_id, _chunk.number, _chunk.token).in_(keys)
    unsent = sa.update(tables.chunks).where(mine, _chunk.state == QUEUED).values(sent_at=None)
    database.attempt(lambda connection: connection.execute(unsent))


def _mark_ahead(job_id: int, send_ahead: int, connection: sa.Connection) -> list[Message]:
    # Two who top up at once would both see the same room.
    if lock_job(connection, job_id) is None:
        return []
    ours = sa.select(_job.id).where(_job.id == job_id, *IS_SENDABLE)
    if connection.scalar(ours) is None:
        return []
    count = sa.select(sa.func.count()).select_from(tables.chunks)
    waiting: int = connection.execute(
        count.where(_chunk.job_id == job_id, *_IS_WAITING)
    ).scalar_one()
    return mark_next(connection, job_id, send_ahead - waiting) if waiting < send_ahead else []


def _mark_overdue(
    priority: Priority, length: int, resend_s: float, connection: sa.Connection
) -> list[Message]:
    ours = sa.select(_job.id).where(*IS_SENDABLE, _job.priority == str(priority)).scalar_subquery()
    waiting = (*_IS_WAITING, _chunk.job_id.in_(ours))
    count = sa.select(sa.func.count()).select_from(tables.chunks).where(*waiting)
    if length >= connection.execute(count).scalar_one():
        return []
    overdue = sa.select(*_SENT).where(*waiting, _chunk.sent_at < from_now(-resend_s))
    rows = connection.execute(
        overdue.order_by(_chunk.sent_at).limit(_AT_ONCE).with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        mine = (_chunk.job_id == row.job_id, _chunk.number == row.number)
        connection.execute(sa.update(tables.chunks).where(*mine).values(sent_at=from_now()))
    return _messages(connection, rows)


def _messages(connection: sa.Connection, rows: Sequence[_Row]) -> list[Message]:
    jobs = {row.job_id for row in rows}
    named = connection.execute(sa.select(_job.id, _job.priority).where(_job.id.in_(jobs)))
    priorities = {row.id: Priority(row.priority) for row in named}
    return [
        Message(
            row.job_id,
            row.number,
            row.token,
            row.solo,
            tuple(list_open_images(connection, row.job_id, row.first, row.last)),
            priorities[row.job_id],
        )
        for row in rows
    ]
