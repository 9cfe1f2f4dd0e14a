"""Claims: a queued chunk becomes somebody's, under the token that it was found or sent with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import QUEUED, RUNNING, held, is_alive, is_due
from pipeline.ledger.sending import mark_next
from pipeline.records import Claim, JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql.dml import ReturningUpdate

    from pipeline.database.database import Database
    from pipeline.records import Message

    _Row = sa.Row[*tuple[Any, ...]]
    _Claimed = tuple[_Row, list[Message]]

_CLAIMED = ("job_id", "number", "token", "first", "last", "retries", "lost")
_chunk, _job = tables.chunks.c, tables.jobs.c


def claim_next(database: Database, job_id: int, worker: str, lease_s: float) -> Claim | None:
    """Claim the job's oldest queued chunk whose ``not_before`` has passed; None: there is none.

    ``worker`` is a name for people.
    """
    waiting = tables.chunks.alias("waiting").c
    oldest = (
        sa.select(waiting.number)
        .where(waiting.job_id == job_id, waiting.state == QUEUED, is_due(waiting))
        .order_by(waiting.number)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = _claiming(job_id, _chunk.number == oldest.scalar_subquery(), worker, lease_s)
    claimed = _claim(database, job_id, statement, lambda _: [])
    return _claim_of(claimed[0]) if claimed else None


def claim(
    database: Database, job_id: int, number: int, token: int, worker: str, lease_s: float
) -> tuple[Claim | None, list[Message]]:
    """Claim the chunk that a message names, under the message's token; None: too late.

    In the same transaction the job's next chunk is marked as sent, in place of this one if it
    counted as waiting: its message has to be sent now. ``worker`` is a name for people.
    """
    named = sa.and_(_chunk.number == number, _chunk.token == token)
    statement = _claiming(job_id, named, worker, lease_s)
    claimed = _claim(database, job_id, statement, lambda c: mark_next(c, job_id, 1))
    return (_claim_of(claimed[0]), claimed[1]) if claimed else (None, [])


def seconds_to_next(database: Database, job_id: int) -> float | None:
    """Return in how many seconds a queued chunk may be claimed; 0: now; None: none is queued."""
    earliest = sa.func.min(sa.func.coalesce(_chunk.not_before, from_now()))
    queued = (_chunk.job_id == job_id, _chunk.state == QUEUED, is_alive(job_id))
    look = sa.select(earliest.label("earliest"), from_now().label("now")).where(*queued)
    row = database.attempt(lambda connection: connection.execute(look).one(), write=False)
    return None if row.earliest is None else max(0.0, (row.earliest - row.now).total_seconds())


def _claiming(
    job_id: int, which: sa.ColumnElement[bool], worker: str, lease_s: float
) -> ReturningUpdate[Any]:
    return (
        sa.update(tables.chunks)
        .where(_chunk.job_id == job_id, _chunk.state == QUEUED, which, is_alive(job_id))
        .values(
            state=RUNNING,
            token=_chunk.token + 1,
            lease_until=from_now(lease_s),
            worker=worker,
            started_at=from_now(),
        )
        .returning(*(_chunk[name] for name in (*_CLAIMED, "lease_until", "sent_at")))
    )


def _claim(
    database: Database,
    job_id: int,
    statement: ReturningUpdate[Any],
    then: Callable[[sa.Connection], list[Message]],
) -> _Claimed | None:
    tried: list[_Claimed] = []

    def work(connection: sa.Connection) -> _Claimed | None:
        # The commit before this try may have landed: that claim is ours, and would be nobody's.
        landed = next((one for one in tried if _has_landed(connection, one[0])), None)
        if landed is None and (row := _take(connection, job_id, statement)) is not None:
            # One that did not count as waiting (its sender heard nothing) leaves no room behind.
            landed = (row, then(connection) if row.sent_at else [])
        tried[:] = [landed] if landed else []
        return landed

    return database.attempt(work)


def _has_landed(connection: sa.Connection, row: _Row) -> bool:
    mine = (*held(_claim_of(row)), _chunk.lease_until == row.lease_until)
    return connection.scalar(sa.select(_chunk.number).where(*mine)) is not None


def _take(connection: sa.Connection, job_id: int, statement: ReturningUpdate[Any]) -> _Row | None:
    pending = (_job.id == job_id, _job.status == str(JobStatus.PENDING))
    first = connection.scalar(sa.select(_job.id).where(*pending)) is not None
    if first:
        # Order: the job's row, then chunks; the other way round could deadlock.
        lock_job(connection, job_id)
    row = connection.execute(statement).one_or_none()
    if row is not None and first:
        started = {"status": str(JobStatus.RUNNING), "started_at": from_now()}
        connection.execute(sa.update(tables.jobs).where(*pending).values(started))
    return row


def _claim_of(row: _Row) -> Claim:
    return Claim(**{name: row._mapping[name] for name in _CLAIMED})
