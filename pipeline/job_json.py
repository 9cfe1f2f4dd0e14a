"""A job as programs read it: the JSON of the command line and of the HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.webhooks.standing import webhook_dict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipeline.records import Counts, Job
    from pipeline.webhooks.standing import Webhook

    Tally = Mapping[str, int]


def as_dict(
    job: Job, failures: Tally | None, labels: Tally | None, webhook: Webhook | None = None
) -> dict[str, object]:
    """Return the job as ``jobs show --json`` and ``run --json`` print it; None: not counted."""
    told = webhook_dict(webhook)
    return {**summary_dict(job), "failures": failures, "labels": labels, "webhook": told}


def summary_dict(job: Job) -> dict[str, object]:
    """Return the job as ``jobs list --json`` prints it."""
    return {
        "id": job.public_id,
        "name": job.name,
        "status": str(job.status),
        "reason": job.reason,
        "notice": job.notice,
        "dispatch": str(job.dispatch),
        "counts": counts_dict(job.counts),
        "reused": job.reused,
        "skipped": job.skipped,
        "images_per_s": find_rate(job),
        "model": {
            "name": job.model_name,
            "sha256": job.model_sha256,
            "precision": str(job.precision),
            "preprocessing": job.preprocessing,
        },
        "options": job.options,
        "created_at": _iso(job.created_at),
        "submitted_at": _iso(job.submitted_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
    }


def counts_dict(counts: Counts) -> dict[str, int]:
    """Return ``total succeeded failed pending cancelled``."""
    return {
        "total": counts.total,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "pending": counts.pending,
        "cancelled": counts.cancelled,
    }


def find_rate(job: Job) -> float | None:
    """Return a finished job's images a second, from its first claim to its end; else None."""
    if job.started_at is None or job.finished_at is None:
        return None
    seconds = (job.finished_at - job.started_at).total_seconds()
    done = job.counts.succeeded + job.counts.failed
    return round(done / seconds, 1) if seconds > 0 else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
