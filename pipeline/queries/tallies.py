"""A job's images by label and by failure code, where that is cheap enough to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.records import Job

#: Outcomes that are counted while a job runs, at most.
COUNTED_AT_MOST = 200_000


def has_ended(job: Job) -> bool:
    """Return whether a job has ended, so that its books are stored with it."""
    return not job.status.is_alive and job.finished_at is not None


def count_by_label(connection: Connection, job: Job) -> dict[str, int] | None:
    """Return the images by label; None: the job runs, and too many are finished to count them.

    A job that has ended has them stored.
    """
    from pipeline.queries.labels import list_labels

    if has_ended(job):
        return job.histogram
    if job.counts.succeeded > COUNTED_AT_MOST:
        return None
    return {one.label: one.images for one in list_labels(connection, job.id)}


def count_by_code(connection: Connection, job: Job) -> dict[str, int] | None:
    """Return the failures by code; None: the job runs, and too many failed to count them.

    A job that has ended has them stored.
    """
    from pipeline.queries.jobs import count_failures

    if has_ended(job) and job.failures is not None:
        return job.failures
    if job.status.is_alive and job.counts.failed > COUNTED_AT_MOST:
        return None
    return count_failures(connection, job.id)
