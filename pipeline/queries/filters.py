"""Which predictions are asked for: a filter as people say it, refused where it cannot be meant."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.records import FailureCode


@dataclass(frozen=True, slots=True)
class PredictionFilter:
    """What to look for; all of it must hold, and a filter that says nothing means everything.

    ``label``, ``min_score`` and ``max_score`` (both included) speak of rank 1. ``uri`` is exact or,
    with a ``*`` at its end, what the uri begins with (within one job, in the order of the uris).
    ``failed``: only failures, or only what was classified.
    """

    job: str | None = None
    label: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    uri: str | None = None
    custom_id: str | None = None
    code: str | None = None
    failed: bool | None = None


def check_filter(wanted: PredictionFilter) -> None:
    """Raise UsageError for a filter that contradicts itself or that no index can answer."""
    _check_scores(wanted.min_score, wanted.max_score)
    _check_failures(wanted)
    if wanted.uri is not None and wanted.uri.endswith("*") and wanted.job is None:
        raise UsageError(
            "a uri that ends in * needs a job as well: without one, every image would be read"
        )


def _check_scores(lowest: float | None, highest: float | None) -> None:
    for score in (lowest, highest):
        if score is not None and not 0 <= score <= 1:
            raise UsageError(f"no image has a score of {score}; give one between 0 and 1")
    if lowest is not None and highest is not None and lowest > highest:
        raise UsageError(f"no score is at least {lowest} and at most {highest}; swap the two")


def _check_failures(wanted: PredictionFilter) -> None:
    if wanted.code is not None and wanted.code not in set(FailureCode):
        raise UsageError(f"no failure has the code {wanted.code!r}; one of: {_join_codes()}")
    if wanted.failed is False and wanted.code is not None:
        raise UsageError("what was classified has no failure code; ask for one or the other")
    answers = (wanted.label, wanted.min_score, wanted.max_score)
    if (wanted.failed or wanted.code is not None) and any(one is not None for one in answers):
        raise UsageError("a failure has no label and no score; ask for one or the other")


def _join_codes() -> str:
    return ", ".join(FailureCode)
