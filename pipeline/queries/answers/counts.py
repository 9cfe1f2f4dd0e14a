"""The answers of a job, counted by label and by score."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.queries.answers.bins import BINS, score_bin
from pipeline.queries.answers.samples import sample
from pipeline.queries.labels import LabelCount, order_counts
from pipeline.tables import jobs, labels, outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answers:
    """Images by label of rank 1, the most frequent first, and by its score, in 20 bins."""

    labels: tuple[LabelCount, ...]
    scores: tuple[int, ...]


def count_answers(conn: sa.Connection, job_id: int) -> Answers:
    """Return all answers of a job by label and by score, in one pass over its outcomes."""
    found = sa.select(outcomes.c.label_id, outcomes.c.score).where(
        outcomes.c.job_id == job_id, outcomes.c.label_id.is_not(None)
    )
    return _count(conn, job_id, found.subquery())


def count_scores(conn: sa.Connection, job_id: int) -> tuple[int, ...]:
    """Return all answers of a job by score alone, in 20 bins."""
    bin_ = score_bin(outcomes.c.score)
    query = sa.select(bin_, sa.func.count()).where(
        outcomes.c.job_id == job_id, outcomes.c.score.between(0, 1)
    )
    scores = [0] * BINS
    for number, images in conn.execute(query.group_by(bin_)):
        scores[number] = images
    return tuple(scores)


def count_sampled(conn: sa.Connection, job_id: int, step: int) -> Answers:
    """Return the answers in every ``step``-th of the job's done chunks."""
    return _count(conn, job_id, sample(conn, job_id, step))


def _count(conn: sa.Connection, job_id: int, found: sa.Subquery) -> Answers:
    bin_ = score_bin(found.c.score)
    query = sa.select(found.c.label_id, bin_, sa.func.count()).group_by(found.c.label_id, bin_)
    by_label, scores = Counter[int](), [0] * BINS
    for label_id, number, images in conn.execute(query):
        if label_id is not None:
            by_label[label_id] += images
            if number is not None:
                scores[number] += images
    return Answers(_name(conn, job_id, by_label), tuple(scores))


def _name(conn: sa.Connection, job_id: int, by_label: Mapping[int, int]) -> tuple[LabelCount, ...]:
    query = sa.select(labels.c.id, labels.c.label, labels.c.index).join(
        jobs, jobs.c.model_id == labels.c.model_id
    )
    found = conn.execute(query.where(jobs.c.id == job_id))
    return order_counts(
        LabelCount(label, index, by_label[id_]) for id_, label, index in found if id_ in by_label
    )
