"""The books of a job: summed from its chunks, and stored with it when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import CANCELLED, OPEN
from pipeline.queries.answers.counts import count_answers
from pipeline.queries.jobs import count_failures, count_reused, get_counts

if TYPE_CHECKING:
    from typing import Any

    from pipeline.records import Counts, JobStatus

_chunk, _job = tables.chunks.c, tables.jobs.c

#: A job that goes on has no books: its counts are sums over its chunks again.
NO_BOOKS: dict[str, Any] = dict.fromkeys(
    (
        *("succeeded", "failed", "cancelled", "reused", "histogram"),
        *("scores", "failures"),
        *("finished_at", "reason"),
    )
)


def cancel_open_chunks(connection: sa.Connection, job_id: int) -> None:
    """Cancel every chunk that is queued or running; only under the job's lock.

    Whoever has one in hand finds no row when it finishes.
    """
    cancelled = {
        "state": CANCELLED,
        "token": _chunk.token + 1,
        **dict.fromkeys(("lease_until", "worker", "sent_at", "not_before")),
    }
    mine = (_chunk.job_id == job_id, _chunk.state.in_(OPEN))
    connection.execute(sa.update(tables.chunks).where(*mine).values(cancelled))


def balance(connection: sa.Connection, job_id: int) -> Counts:
    """Return the counts of a job without an open chunk.

    Raises AssertionError when an image is missing in them, or is there twice: a bug.
    """
    counts = get_counts(connection, job_id)
    if counts.pending:
        raise AssertionError(f"the books of job {job_id} do not balance: {counts}")
    return counts


def close_books(
    connection: sa.Connection,
    job_id: int,
    counts: Counts,
    status: JobStatus,
    reason: str | None = None,
) -> None:
    """End a job with this status; store its counts and histograms.

    Those are ``{label: images}`` and ``{code: images}``, the most frequent first, and the images
    by score in 20 bins.
    """
    answers = count_answers(connection, job_id)
    books = {
        "status": str(status),
        "reason": reason,
        # What a worker had to say of it is past.
        "notice": None,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "reused": count_reused(connection, job_id),
        "histogram": {one.label: one.images for one in answers.labels},
        "scores": answers.scores,
        "failures": count_failures(connection, job_id),
        "finished_at": from_now(),
    }
    connection.execute(sa.update(tables.jobs).where(_job.id == job_id).values(books))
