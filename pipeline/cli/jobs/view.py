"""A job as people read it: as a row, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.output import shown_rate, shown_time
from pipeline.job_json import find_rate
from pipeline.queries.tallies import COUNTED_AT_MOST
from pipeline.webhooks.standing import webhook_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
