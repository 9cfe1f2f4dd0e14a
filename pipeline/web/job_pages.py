"""A job as JSON with how it goes on: the same for those who ask once, and those who watch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.job_json import as_dict, find_rate, summary_dict
from pipeline.queries.tallies import count_by_code, count_by_label
from pipeline.webhooks.rows import find_webhook

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pipeline.records import Job


def job_summary(job: Job, images_per_s: float | None = None) -> dict[str, object]:
    """Return the job as ``jobs list --json`` prints it; one that runs has its rate so far."""
    return summary_dict(job) | {"images_per_s": images_per_s or find_live_rate(job)}


def job_details(
    conn: sa.Connection, job: Job, images_per_s: float | None = None
) -> dict[str, object]:
    """Return the job as ``jobs show --json`` prints it, with ``images_per_s`` and ``eta_s``."""
    told = as_dict(
        job, count_by_code(conn, job), count_by_label(conn, job), find_webhook(conn, job.id)
    )
    return told | progress(job, images_per_s)


def progress(job: Job, images_per_s: float | None = None) -> dict[str, object]:
    """Return ``images_per_s``, and ``eta_s`` of a job that runs: seconds to its end; else None."""
    rate = find_live_rate(job) if images_per_s is None else images_per_s
    eta_s = round(job.counts.pending / rate, 1) if rate and job.status.is_alive else None
    return {"images_per_s": rate, "eta_s": eta_s}


def find_live_rate(job: Job) -> float | None:
    """Return a job's images a second, from its first claim to its end, or until now."""
    if not job.status.is_alive or job.started_at is None:
        return find_rate(job)
    seconds = (datetime.now(UTC) - job.started_at).total_seconds()
    done = job.counts.succeeded + job.counts.failed
    return round(done / seconds, 1) if seconds > 0 and done else None
