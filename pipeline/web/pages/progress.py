"""How far a job is, as its page and its row in the list show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.records import Job


@dataclass(frozen=True, slots=True)
class Progress:
    """Images done of all, shares in percent of the total, the rate, and seconds.

    ``images_per_s`` is the mean since the first claim; ``seconds_left`` is None unless the job is
    under way, ``seconds_taken`` is None until it has ended.
    """

    done: int
    succeeded: float
    failed: float
    cancelled: float
    images_per_s: float | None
    seconds_left: float | None
    seconds_taken: float | None


def find_progress(job: Job) -> Progress:
    """Return how far a job is now."""
    counts = job.counts
    done = counts.succeeded + counts.failed
    seconds = _find_seconds(job)
    rate = done / seconds if seconds and done else None
    left = counts.pending / rate if rate and job.status.is_alive else None
    percent = 100 / max(counts.total, 1)
    return Progress(
        done,
        succeeded=percent * counts.succeeded,
        failed=percent * counts.failed,
        cancelled=percent * counts.cancelled,
        images_per_s=rate,
        seconds_left=left,
        seconds_taken=seconds if job.finished_at else None,
    )


def _find_seconds(job: Job) -> float | None:
    if job.started_at is None:
        return None
    end = job.finished_at or datetime.now(UTC)
    return max((end - job.started_at).total_seconds(), 0.0)
