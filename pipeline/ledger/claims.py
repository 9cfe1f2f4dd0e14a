"""The chunk's life: claim, renew, finish, give back; each write behind the fence of its token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.records import ChunkState, Claim, JobStatus
from pipeline.storage.rows import lock_job, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.database.database import Database
    from pipeline.records import Outcome, Provenance, StoredModel

    _Row = sa.Row[*tuple[Any, ...]]

_QUEUED, _RUNNING, _DONE = (
    str(s) for s in (ChunkState.QUEUED, ChunkState.RUNNING, ChunkState.DONE)
)
_ALIVE = (str(JobStatus.PENDING), str(JobStatus.RUNNING))
_CLAIMED = ("job_id", "number", "token", "first", "last", "retries")
_chunk, _job = tables.chunks.c, tables.jobs.c


def claim_next(database: Database, job_id: int, worker: str, lease_s: float) -> Claim | None:
    """Claim the job's oldest queued chunk whose ``not_before`` has passed; None: there is none.

    ``worker`` is a name for people.
    """
    waiting = tables.chunks.alias("waiting").c
    due = sa.or_(waiting.not_before.is_(None), waiting.not_before <= from_now())
    oldest = (
        sa.select(waiting.number)
        .where(waiting.job_id == job_id, waiting.state == _QUEUED, due)
        .order_by(waiting.number)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return _claim(database, job_id, _chunk.number == oldest.scalar_subquery(), worker, lease_s)


def claim(
    database: Database, job_id: int, number: int, token: int, worker: str, lease_s: float
) -> Claim | None:
    """Claim the chunk that a message names, under the message's token; None: too late.

    ``worker`` is a name for people.
    """
    named = sa.and_(_chunk.number == number, _chunk.token == token)
    return _claim(database, job_id, named, worker, lease_s)


def renew(database: Database, claims: Sequence[Claim], lease_s: float) -> int:
    """Extend the leases of ``claims``, and return how many are still theirs."""
    keys = [(claim.job_id, claim.number, claim.token) for claim in claims]
    mine = sa.tuple_(_chunk.job_id, _chunk.number, _chunk.token).in_(keys)
    renewed = (
        sa.update(tables.chunks)
        .where(mine, _chunk.state == _RUNNING)
        .values(lease_until=from_now(lease_s))
    )
    return database.attempt(lambda connection: connection.execute(renewed).rowcount) if keys else 0


def finish(
    database: Database,
    claim: Claim,
    model: StoredModel,
    outcomes: Sequence[Outcome],
    provenance: Provenance,
    retry_in_s: float | None = None,
) -> bool:
    """Save what became of a claimed chunk's open images; False: the claim is no longer ours.

    One transaction, the fence first. Without ``retry_in_s`` the chunk is done, and every image
    of it must have its outcome; with it the images left open are queued again, in so many
    seconds. Running it twice writes once: after a commit of unknown outcome it is tried again.
    Raises AssertionError when outcomes and chunk do not fit: a bug, and nothing is written.
    """
    _check_indexes(claim, outcomes)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    fenced = (
        sa.update(tables.chunks)
        .where(*_held(claim))
        .values(
            token=_chunk.token + 1,
            succeeded=_chunk.succeeded + len(outcomes) - failed,
            failed=_chunk.failed + failed,
            **(_done() if retry_in_s is None else _again(retry_in_s, _chunk.retries + 1)),
        )
        .returning(*tables.chunks.c)
    )

    def work(connection: sa.Connection) -> bool:
        started = time.perf_counter()
        row = connection.execute(fenced).one_or_none()
        if row is None:
            return False
        _check_counts(claim, row, done=retry_in_s is None)
        save_outcomes(connection, claim.job_id, model, outcomes)
        values = _provenance_of(row, provenance, (time.perf_counter() - started) * 1000)
        connection.execute(sa.update(tables.chunks).where(*_same_chunk(claim)).values(values))
        return True

    return database.attempt(work)


def give_back(database: Database, claim: Claim, retry_in_s: float = 0.0) -> bool:
    """Return a claimed chunk to the queue, undone; no loss, no retry. False: no longer ours."""
    returned = sa.update(tables.chunks).where(*_held(claim))
    returned = returned.values(token=_chunk.token + 1, **_again(retry_in_s, _chunk.retries))
    return database.attempt(lambda connection: connection.execute(returned).rowcount) == 1


def free_leases(database: Database, job_id: int) -> int:
    """Return the running chunks of a dead local run to the queue; its late finish finds no row.

    Only for whoever holds the run's lock. Returns how many chunks were freed; no losses.
    """
    freed = sa.update(tables.chunks).where(_chunk.job_id == job_id, _chunk.state == _RUNNING)
    freed = freed.values(token=_chunk.token + 1, **_again(0.0, _chunk.retries))
    return database.attempt(lambda connection: connection.execute(freed).rowcount)


def seconds_to_next(database: Database, job_id: int) -> float | None:
    """Return in how many seconds a queued chunk may be claimed; 0: now; None: none is queued."""
    earliest = sa.func.min(sa.func.coalesce(_chunk.not_before, from_now()))
    queued = (_chunk.job_id == job_id, _chunk.state == _QUEUED)
    look = sa.select(earliest.label("earliest"), from_now().label("now")).where(*queued)
    row = database.attempt(lambda connection: connection.execute(look).one(), write=False)
    return None if row.earliest is None else max(0.0, (row.earliest - row.now).total_seconds())


def _claim(
    database: Database, job_id: int, which: sa.ColumnElement[bool], worker: str, lease_s: float
) -> Claim | None:
    alive = sa.exists().where(
        _job.id == job_id, _job.submitted_at.is_not(None), _job.status.in_(_ALIVE)
    )
    statement = (
        sa.update(tables.chunks)
        .where(_chunk.job_id == job_id, _chunk.state == _QUEUED, which, alive)
        .values(
            state=_RUNNING,
            token=_chunk.token + 1,
            lease_until=from_now(lease_s),
            worker=worker,
            started_at=from_now(),
        )
        .returning(*(_chunk[name] for name in _CLAIMED), _chunk.lease_until)
    )
    tried: list[_Row] = []

    def work(connection: sa.Connection) -> Claim | None:
        row = _find_landed(connection, tried) or _take(connection, job_id, statement)
        tried[:] = [row] if row else []
        return _claim_of(row) if row else None

    return database.attempt(work)


def _find_landed(connection: sa.Connection, tried: list[_Row]) -> _Row | None:
    # The commit before this try may have landed: that claim is ours, and would be nobody's.
    for row in tried:
        mine = (*_held(_claim_of(row)), _chunk.lease_until == row.lease_until)
        if connection.scalar(sa.select(_chunk.number).where(*mine)) is not None:
            return row
    return None


def _take(connection: sa.Connection, job_id: int, statement: sa.Update) -> _Row | None:
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


def _same_chunk(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (_chunk.job_id == claim.job_id, _chunk.number == claim.number)


def _held(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_same_chunk(claim), _chunk.token == claim.token, _chunk.state == _RUNNING)


def _done() -> dict[str, Any]:
    return {"state": _DONE, "lease_until": None, "finished_at": from_now()}


def _again(in_s: float, retries: Any) -> dict[str, Any]:
    return {
        "state": _QUEUED,
        "retries": retries,
        "lease_until": None,
        "worker": None,
        # Every return to the queue clears it: a chunk that counts as sent is not sent again.
        "sent_at": None,
        "not_before": from_now(in_s) if in_s > 0 else None,
    }


def _check_indexes(claim: Claim, outcomes: Sequence[Outcome]) -> None:
    indexes = {outcome.index for outcome in outcomes}
    inside = all(claim.first <= index <= claim.last for index in indexes)
    if len(indexes) != len(outcomes) or not inside:
        raise AssertionError(f"outcomes of {sorted(indexes)} do not fit {claim}")


def _check_counts(claim: Claim, row: _Row, done: bool) -> None:
    left = claim.last - claim.first + 1 - row.succeeded - row.failed
    if left < 0 or (left == 0) != done:
        raise AssertionError(f"{claim} would be {row.state} with {left} open images")


def _provenance_of(row: _Row, made: Provenance, store_ms: float) -> dict[str, Any]:
    # A chunk that was retried is made in several rounds: its times add up.
    return {
        "batch_sizes": [*(row.batch_sizes or ()), *made.batch_sizes],
        "queue_wait_ms": max(row.queue_wait_ms or 0.0, made.queue_wait_ms),
        "read_ms": (row.read_ms or 0.0) + made.read_ms,
        "decode_ms": (row.decode_ms or 0.0) + made.decode_ms,
        "forward_ms": (row.forward_ms or 0.0) + made.forward_ms,
        "store_ms": (row.store_ms or 0.0) + store_ms,
        "engine": made.engine,
        "device": made.device,
        "versions": made.versions,
    }
