"""Histograms of a job: its classified images by label, and by the score of rank 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.queries.answers.counts import count_sampled, count_scores
from pipeline.queries.labels import LabelCount, list_labels, order_counts
from pipeline.queries.tallies import COUNTED_AT_MOST, has_ended
from pipeline.tables import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.queries.answers.counts import Answers
    from pipeline.records import Job

#: Images of a sample, at most about.
SAMPLED = 100_000


@dataclass(frozen=True, slots=True)
class LabelHistogram:
    """Images by label, the most frequent first; ``images`` are all that were counted for it.

    ``is_sample``: those of a sample, so that a count says a share of ``images`` and no more.
    """

    labels: tuple[LabelCount, ...]
    images: int
    is_sample: bool


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """Images by score in 20 steps of 0.05, 1.0 in the last; otherwise as ``LabelHistogram``."""

    counts: tuple[int, ...]
    images: int
    is_sample: bool


def get_label_histogram(conn: sa.Connection, job: Job) -> LabelHistogram:
    """Return the images by label: of a job that has ended as stored, else as of now.

    Of more than ``COUNTED_AT_MOST`` finished images about 100,000 are counted, spread evenly over
    the job.
    """
    if has_ended(job):
        return _show_labels(_read_stored(conn, job))
    if _is_small(job):
        return _show_labels(list_labels(conn, job.id))
    return _show_labels(_sample(conn, job).labels, is_sample=True)


def get_score_histogram(conn: sa.Connection, job: Job) -> ScoreHistogram:
    """Return the images by score, as ``get_label_histogram`` does by label.

    An old job has none stored: it is counted or sampled as one that runs.
    """
    if has_ended(job) and job.scores is not None:
        return _show_scores(job.scores)
    if _is_small(job):
        return _show_scores(count_scores(conn, job.id))
    return _show_scores(_sample(conn, job).scores, is_sample=True)


def get_histograms(conn: sa.Connection, job: Job) -> tuple[LabelHistogram, ScoreHistogram]:
    """Return both histograms; a large job that runs is sampled once for the two."""
    if has_ended(job) or _is_small(job):
        return get_label_histogram(conn, job), get_score_histogram(conn, job)
    found = _sample(conn, job)
    return _show_labels(found.labels, is_sample=True), _show_scores(found.scores, is_sample=True)


def _is_small(job: Job) -> bool:
    return job.counts.succeeded <= COUNTED_AT_MOST


def _sample(conn: sa.Connection, job: Job) -> Answers:
    return count_sampled(conn, job.id, step=-(-job.counts.succeeded // SAMPLED))


def _read_stored(conn: sa.Connection, job: Job) -> tuple[LabelCount, ...]:
    query = sa.select(labels.c.label, labels.c.index).where(labels.c.model_id == job.model_id)
    found: dict[str, int] = dict(tuple(row) for row in conn.execute(query))
    return order_counts(
        LabelCount(label, found[label], images)
        for label, images in job.histogram.items()
        if label in found
    )


def _show_labels(counts: Sequence[LabelCount], *, is_sample: bool = False) -> LabelHistogram:
    return LabelHistogram(tuple(counts), sum(one.images for one in counts), is_sample)


def _show_scores(counts: tuple[int, ...], *, is_sample: bool = False) -> ScoreHistogram:
    return ScoreHistogram(counts, sum(counts), is_sample)
