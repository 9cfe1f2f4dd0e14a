"""A job as people read it: as a JSON object, as a row, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.jobs.tallies import COUNTED_AT_MOST
from pipeline.cli.output import shown_rate, shown_time
from pipeline.webhooks.standing import webhook_dict, webhook_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pipeline.records import Counts, Job
    from pipeline.webhooks.standing import Webhook

    Tally = Mapping[str, int]

#: The columns of ``row``.
HEADINGS = (
    "job", "status", "total", "succeeded", "failed", "pending",
    "model", "created", "images/s",
)  # fmt: skip
#: Those of them that are numbers.
NUMBERS = frozenset({"total", "succeeded", "failed", "pending", "images/s"})
#: Labels that a page shows.
_TOP_LABELS = 10


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


def row(job: Job) -> list[str]:
    """Return the job's cells under ``HEADINGS``."""
    counts = job.counts
    return [
        job.handle,
        str(job.status),
        *(f"{n:,}" for n in (counts.total, counts.succeeded, counts.failed, counts.pending)),
        f"{job.model_name} {job.precision}",
        shown_time(job.created_at).rpartition(":")[0],
        shown_rate(find_rate(job)),
    ]


def page(
    job: Job, failures: Tally | None, labels: Tally | None, webhook: Webhook | None
) -> list[tuple[str, str]]:
    """Return the job as names with values, for a person; None: not counted."""
    return [
        ("job", job.handle if job.name is None else f"{job.name} ({job.public_id})"),
        *outline(job, failures, labels),
        *(("images/s", shown_rate(rate)) for rate in [find_rate(job)] if rate),
        ("model", f"{job.model_name}, {job.precision} (sha256 {job.model_sha256[:12]})"),
        ("options", ", ".join(f"{name} {value}" for name, value in _stated(job.options))),
        ("created", shown_time(job.created_at)),
        *(("started", shown_time(moment)) for moment in [job.started_at] if moment),
        *(("finished", shown_time(moment)) for moment in [job.finished_at] if moment),
        *(("webhook", webhook_sentence(one)) for one in [webhook] if one),
    ]


def outline(job: Job, failures: Tally | None, labels: Tally | None) -> list[tuple[str, str]]:
    """Return what counts in a job: status, counts, failures by code, the top labels."""
    status = f"{job.status}: {job.reason}" if job.reason else str(job.status)
    lines = [("status", status), ("images", count_sentence(job.counts))]
    lines += [("reused", f"{job.reused:,} of these took a known answer")] if job.reused else []
    lines += [("skipped", f"{job.skipped:,} more that are known")] if job.skipped else []
    if job.notice:
        lines.append(("notice", job.notice))
    lines += _tally("failures", failures)
    lines += _tally("labels", labels, _TOP_LABELS)
    return lines


def count_sentence(counts: Counts) -> str:
    """Return ``305: 300 classified, 5 failed``, and what is pending or cancelled if any is."""
    parts = [f"{counts.succeeded:,} classified", f"{counts.failed:,} failed"]
    parts += [f"{counts.pending:,} pending"] if counts.pending else []
    parts += [f"{counts.cancelled:,} cancelled"] if counts.cancelled else []
    return f"{counts.total:,}: {', '.join(parts)}"


def _tally(what: str, found: Tally | None, most: int | None = None) -> Iterator[tuple[str, str]]:
    if found is None:
        yield what, f"counted at the end: there are more than {COUNTED_AT_MOST:,} already"
    elif found:
        shown = ", ".join(f"{name} {number:,}" for name, number in [*found.items()][:most])
        more = len(found) - len([*found][:most])
        yield what, f"{shown}, and {more:,} more" if more else shown


def _stated(options: Mapping[str, object]) -> list[tuple[str, object]]:
    return [(name, value) for name, value in options.items() if value is not None]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
