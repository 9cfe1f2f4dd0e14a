"""Losses: chunks whose lease ran out go again; what kills its worker is cornered and condemned."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import ALIVE, DONE, QUEUED, RUNNING, queued
from pipeline.records import Dispatch, Failure, FailureCode, Outcome, StoredModel
from pipeline.storage.bulk import insert_rows
from pipeline.storage.rows import lock_job, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.database.database import Database

    _Row = sa.Row[*tuple[Any, ...]]
    _Key = tuple[int, int, int]

#: A chunk that was lost this often is split into one chunk for each image.
SPLIT_AT = 2
#: A chunk of one image that was lost this often in solo runs is the reason.
CONDEMN_AT = 2
#: Chunks that one sweep looks at.
_AT_ONCE = 1000
_CHILD = (
    *("job_id", "number", "first", "last", "state", "token"),
    *("succeeded", "failed", "reused"),
)
_CONDEMNED = Failure(FailureCode.WORKER_CRASHED, "its worker died of it twice, with it alone")
_chunk, _job, _outcome = tables.chunks.c, tables.jobs.c, tables.outcomes.c


@dataclass(slots=True)
class Losses:
    """What one sweep found: chunks lost, chunks split, images condemned; by job number."""

    lost: list[int] = field(default_factory=list)
    split: list[int] = field(default_factory=list)
    condemned: list[int] = field(default_factory=list)


def expire_leases(database: Database) -> Losses:
    """Return every chunk of a broker's job whose lease ran out to the queue.

    The second loss splits it; an image that was alone in its chunk runs solo after its first
    loss, and is ``worker_crashed`` after two losses there.
    """
    ours = sa.select(_job.id).where(_job.dispatch == str(Dispatch.BROKER)).scalar_subquery()
    late = (_chunk.state == RUNNING, _chunk.lease_until < from_now(), _chunk.job_id.in_(ours))
    look = sa.select(_chunk.job_id, _chunk.number, _chunk.token).where(*late)
    look = look.order_by(_chunk.lease_until).limit(_AT_ONCE)
    rows = database.attempt(lambda c: c.execute(look).all(), write=False)
    keys = [(row.job_id, row.number, row.token) for row in rows]
    losses = Losses()
    for key in keys:
        # Collected outside: a transaction that is run again must not count twice.
        what = database.attempt(partial(_expire, key))
        for name in what:
            getattr(losses, name).append(key[0])
    return losses


def _expire(key: _Key, connection: sa.Connection) -> tuple[str, ...]:
    job_id, number, token = key
    job = lock_job(connection, job_id)
    mine = (_chunk.job_id == job_id, _chunk.number == number, _chunk.token == token)
    late = (*mine, _chunk.state == RUNNING, _chunk.lease_until < from_now())
    # Whose transaction holds the row is finishing it, or frozen; neither is waited for.
    chunk = connection.execute(
        sa.select(tables.chunks).where(*late).with_for_update(skip_locked=True)
    ).one_or_none()
    if job is None or chunk is None:
        return ()
    lost, solo_lost = chunk.lost + 1, chunk.solo_lost + chunk.solo
    if chunk.first == chunk.last:
        if solo_lost >= CONDEMN_AT:
            _condemn(connection, chunk)
            return ("lost", "condemned")
        values = queued(lost=lost, solo_lost=solo_lost, solo=True)
    elif lost >= SPLIT_AT and job.status in ALIVE:
        _split(connection, chunk)
        return ("lost", "split")
    else:
        values = queued(lost=lost)
    connection.execute(sa.update(tables.chunks).where(*mine).values(values))
    return ("lost",)


def _condemn(connection: sa.Connection, chunk: _Row) -> None:
    model = sa.select(_job.model_id).where(_job.id == chunk.job_id)
    stored = StoredModel(connection.execute(model).scalar_one(), label_ids=())
    outcome = Outcome(chunk.first, failure=_CONDEMNED)
    save_outcomes(connection, chunk.job_id, stored, [outcome])
    done = {
        "state": DONE,
        "token": _chunk.token + 1,
        "lost": chunk.lost + 1,
        "solo_lost": chunk.solo_lost + 1,
        "failed": _chunk.failed + 1,
        "lease_until": None,
        "finished_at": from_now(),
    }
    mine = (_chunk.job_id == chunk.job_id, _chunk.number == chunk.number)
    connection.execute(sa.update(tables.chunks).where(*mine).values(done))


def _split(connection: sa.Connection, chunk: _Row) -> None:
    """Put one chunk for each image in the place of ``chunk``; the books stay as they are."""
    job_id = chunk.job_id
    # Behind every number that ever was: a late message must not meet a child.
    highest = sa.select(sa.func.max(_chunk.number)).where(_chunk.job_id == job_id)
    number = connection.execute(highest).scalar_one() + 1
    inside = _outcome.index.between(chunk.first, chunk.last)
    finished = sa.select(_outcome.index, _outcome.code).where(_outcome.job_id == job_id, inside)
    codes = {row[0]: row[1] for row in connection.execute(finished)}
    # Which of the images were reused is not written down; how many is all that counts.
    succeeded = sorted(index for index, code in codes.items() if code is None)
    reused = set(succeeded[: chunk.reused])
    children = [
        (job_id, number + offset, index, index, *_books(index, codes), int(index in reused))
        for offset, index in enumerate(range(chunk.first, chunk.last + 1))
    ]
    parent = (_chunk.job_id == job_id, _chunk.number == chunk.number)
    connection.execute(sa.delete(tables.chunks).where(*parent))
    insert_rows(connection, tables.chunks, _CHILD, children)


def _books(index: int, codes: Mapping[int, str | None]) -> tuple[str, int, int, int]:
    """Return a child's state, token, succeeded and failed."""
    if index not in codes:
        return (QUEUED, 0, 0, 0)
    failed = codes[index] is not None
    return (DONE, 0, int(not failed), int(failed))
