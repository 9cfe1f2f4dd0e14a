"""What several steps of a chunk's life write and ask in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.records import ChunkState, JobStatus

if TYPE_CHECKING:
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from pipeline.records import Claim

QUEUED, RUNNING, DONE, CANCELLED = (
    str(state)
    for state in (ChunkState.QUEUED, ChunkState.RUNNING, ChunkState.DONE, ChunkState.CANCELLED)
)
#: The states of a chunk that is not finished.
OPEN = (QUEUED, RUNNING)
#: The statuses of a job whose chunks may be sent and claimed.
ALIVE = (str(JobStatus.PENDING), str(JobStatus.RUNNING))
#: The counters of what befell a chunk, as a user's retry or resume sets them back.
UNSCATHED: dict[str, Any] = {"lost": 0, "solo": False, "solo_lost": 0, "retries": 0}

_chunk, _job = tables.chunks.c, tables.jobs.c


def same_chunk(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a row is the claim's chunk."""
    return (_chunk.job_id == claim.job_id, _chunk.number == claim.number)


def held(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the fence: the condition that the claim still holds its chunk."""
    return (*same_chunk(claim), _chunk.token == claim.token, _chunk.state == RUNNING)


def is_alive(job_id: Any) -> sa.Exists:
    """Return the condition that the job is submitted whole, and pending or running."""
    return sa.exists().where(
        _job.id == job_id, _job.submitted_at.is_not(None), _job.status.in_(ALIVE)
    )


def is_due(chunk: ReadOnlyColumnCollection[str, Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a chunk's ``not_before`` has passed."""
    return sa.or_(chunk.not_before.is_(None), chunk.not_before <= from_now())


def queued(in_s: float = 0.0, **columns: Any) -> dict[str, Any]:
    """Return the values of every return to the queue, due in so many seconds."""
    return {
        "state": QUEUED,
        "token": _chunk.token + 1,
        "lease_until": None,
        "worker": None,
        # A chunk that counts as sent is not sent again.
        "sent_at": None,
        "not_before": from_now(in_s) if in_s > 0 else None,
        **columns,
    }
