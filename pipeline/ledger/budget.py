"""The failure budget: a job of which too many images fail is stopped."""

from __future__ import annotations

import shlex
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.ledger.books import balance, cancel_open_chunks, close_books
from pipeline.ledger.columns import ALIVE, is_alive
from pipeline.queries.jobs import get_counts
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Counts

    _Row = sa.Row[*tuple[Any, ...]]

#: So many images of a job must be finished before it can be stopped on its way.
_SAMPLE = 100
_job = tables.jobs.c


def enforce_budget(database: Database, job_id: int) -> bool:
    """Stop a job of which more than ``max_failure_rate`` failed; False: it goes on, or has ended.

    It ends ``failed`` with the reason, the rest of it cancelled. A job without a rate costs one
    look at its row, another one a sum over its chunks: no question for after every chunk.
    """
    if not database.attempt(partial(_is_spent, job_id), write=False):
        return False
    return database.attempt(partial(_stop, job_id))


def find_excess(job: _Row, counts: Counts) -> str | None:
    """Return the reason for which a job has failed, in a sentence; None: it has not.

    ``job`` is the row that ``lock_job`` returns.
    """
    done = counts.succeeded + counts.failed
    rate: float | None = job.max_failure_rate
    # In floats 29 of 100 would be more than 0.29.
    if rate is None or counts.failed <= Fraction(str(rate)) * done:
        return None
    return (
        f"{counts.failed:,} of {done:,} images failed, more than the {rate * 100:g} % of "
        "--max-failure-rate; `imagemill jobs resume "
        f"{shlex.quote(job.name or job.public_id)}` goes on without the limit"
    )


def _is_spent(job_id: int, connection: sa.Connection) -> bool:
    columns = (_job.max_failure_rate, _job.name, _job.public_id)
    limited = (_job.id == job_id, _job.max_failure_rate.is_not(None), is_alive(job_id))
    job = connection.execute(sa.select(*columns).where(*limited)).one_or_none()
    if job is None:
        return False
    counts = get_counts(connection, job_id)
    enough = counts.succeeded + counts.failed >= min(counts.total, _SAMPLE)
    return enough and find_excess(job, counts) is not None


def _stop(job_id: int, connection: sa.Connection) -> bool:
    job = lock_job(connection, job_id)
    # Look only now: what was committed while we waited for the lock counts, a retry above all.
    if job is None or job.status not in ALIVE or not _is_spent(job_id, connection):
        return False
    cancel_open_chunks(connection, job_id)
    counts = balance(connection, job_id)
    close_books(connection, job_id, counts, JobStatus.FAILED, find_excess(job, counts))
    return True
