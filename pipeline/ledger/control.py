"""What a user decides of a job: cancel it, resume it, run its failed images again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.errors import JobError, UnknownJobError
from pipeline.ledger.books import NO_BOOKS, balance, cancel_open_chunks, close_books
from pipeline.ledger.columns import ALIVE, CANCELLED, UNSCATHED, queued
from pipeline.ledger.completion import complete
from pipeline.ledger.reopening import reopen_failures
from pipeline.queries.jobs import get_counts
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job
from pipeline.webhooks.rows import wait_again

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.database.database import Database
    from pipeline.records import FailureCode

    _Row = sa.Row[*tuple[Any, ...]]

_STOPPED = (str(JobStatus.CANCELLED), str(JobStatus.FAILED))
_chunk, _job = tables.chunks.c, tables.jobs.c


def cancel(database: Database, job_id: int) -> int:
    """Stop a job: its open chunks are cancelled, what is finished stays; return images cancelled.

    Raises JobError when the job is not alive.
    """
    tried: list[int] = []

    def work(connection: sa.Connection) -> int:
        job = _lock(connection, job_id)
        if tried and job.status == JobStatus.CANCELLED:
            return tried[0]  # The commit before this try landed.
        if job.status not in ALIVE:
            _refuse(job, ", so there is nothing to cancel; see `imagemill jobs show {}`")
        cancel_open_chunks(connection, job_id)
        counts = balance(connection, job_id)
        close_books(connection, job_id, counts, JobStatus.CANCELLED)
        tried[:] = [counts.cancelled]
        return counts.cancelled

    return database.attempt(work)


def resume(database: Database, job_id: int) -> int:
    """Let a cancelled or failed job go on; return how many images are back in the queue.

    One that was stopped by its failures goes on without the limit. With nothing left to do it is
    completed at once. Raises JobError when the job is alive or completed.
    """
    tried: list[int] = []

    def work(connection: sa.Connection) -> int:
        job = _lock(connection, job_id)
        if tried and job.status not in _STOPPED:
            return tried[0]  # The commit before this try landed.
        if job.status == JobStatus.COMPLETED:
            _refuse(job, "; run its failed images again with `imagemill jobs retry {}`")
        if job.status not in _STOPPED:
            _refuse(job, ", so there is nothing to resume; see `imagemill jobs watch {}`")
        tried[:] = [_queue_cancelled(connection, job_id)]
        lifted = {"max_failure_rate": None} if job.status == JobStatus.FAILED else {}
        _go_on(connection, job_id, started_at=_begun(), **lifted)
        return tried[0]

    images = database.attempt(work)
    if not images:
        complete(database, job_id)
    return images


def retry(database: Database, job_id: int, codes: Collection[FailureCode] | None = None) -> int:
    """Run the failed images of these codes (None: of all) again; return how many there are.

    Their failures are deleted, and the job goes on; without any, nothing changes. Raises JobError
    for a job that is cancelled or failed: it has to be resumed first.
    """
    tried: list[int] = []

    def work(connection: sa.Connection) -> int:
        job = _lock(connection, job_id)
        if job.status in _STOPPED:
            _refuse(job, "; let it go on with `imagemill jobs resume {}` before you retry")
        images = reopen_failures(connection, job_id, codes)
        if images:
            _go_on(connection, job_id)
            tried[:] = [images]
        # None left of those that a first try found: its commit landed.
        return images or sum(tried)

    return database.attempt(work)


def _lock(connection: sa.Connection, job_id: int) -> _Row:
    """Lock the job and return its row; JobError unless it is there, submitted whole."""
    job = lock_job(connection, job_id)
    if job is None:
        sentence = "is gone; `imagemill jobs list` shows what is there"
        raise UnknownJobError(f"job number {job_id} {sentence}")
    if job.submitted_at is None and job.status == JobStatus.CANCELLED:
        _refuse(job, ": its deletion was interrupted; delete it again: `imagemill jobs delete {}`")
    if job.submitted_at is None:
        _refuse(job, ", not submitted whole yet; wait, or remove it: `imagemill jobs delete {}`")
    return job


def _refuse(job: _Row, advice: str) -> NoReturn:
    handle = job.name or job.public_id
    raise JobError(f"job {handle!r} is {job.status}{advice.format(shlex.quote(handle))}")


def _queue_cancelled(connection: sa.Connection, job_id: int) -> int:
    images = get_counts(connection, job_id).cancelled
    mine = (_chunk.job_id == job_id, _chunk.state == CANCELLED)
    connection.execute(sa.update(tables.chunks).where(*mine).values(queued(**UNSCATHED)))
    return images


def _go_on(connection: sa.Connection, job_id: int, **columns: Any) -> None:
    values = {**NO_BOOKS, "status": str(JobStatus.RUNNING), **columns}
    connection.execute(sa.update(tables.jobs).where(_job.id == job_id).values(values))
    wait_again(connection, job_id)


def _begun() -> sa.ColumnElement[Any]:
    # A job that was cancelled before its first claim begins now.
    return sa.func.coalesce(_job.started_at, from_now())
