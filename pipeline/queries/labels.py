"""Reads of labels: those that a job's images got, and the rows that a label's text means."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.errors import UsageError
from pipeline.references import is_storable
from pipeline.tables import labels, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many images of a job got this label as their rank 1."""

    label: str
    index: int
    images: int


def list_labels(conn: sa.Connection, job_id: int) -> list[LabelCount]:
    """Return the labels that a job's images got, the most frequent first, as of now."""
    found = (
        sa.select(outcomes.c.label_id, sa.func.count().label("images"))
        .where(outcomes.c.job_id == job_id, outcomes.c.label_id.is_not(None))
        .group_by(outcomes.c.label_id)
        .subquery()
    )
    query = (
        sa.select(labels.c.label, labels.c.index, found.c.images)
        .join(found, found.c.label_id == labels.c.id)
        .order_by(found.c.images.desc(), labels.c.index)
    )
    return [LabelCount(*row) for row in conn.execute(query)]


def order_counts(counts: Iterable[LabelCount]) -> tuple[LabelCount, ...]:
    """Return labels the most frequent first, of equal ones in the order of the model."""
    return tuple(sorted(counts, key=lambda one: (-one.images, one.index)))


def get_label_ids(conn: sa.Connection, label: str, model_id: int | None = None) -> list[int]:
    """Return the label's id in the one model, or its ids in all; UsageError if there is none."""
    known = sa.select(labels.c.id).where(labels.c.label == label)
    found = conn.scalars(_of_model(known, model_id)).all() if is_storable(label) else ()
    if not found:
        raise UsageError(_explain_unknown(conn, label, model_id))
    return list(found)


def _explain_unknown(conn: sa.Connection, label: str, model_id: int | None) -> str:
    known = conn.scalars(_of_model(sa.select(labels.c.label).distinct(), model_id)).all()
    near = [repr(other) for other in get_close_matches(label, known)]
    who = "no model here knows" if model_id is None else "the job's model does not know"
    meant = f" (is it {' or '.join(near)}?)" if near else ""
    return f"{who} the label {label!r}{meant}; `imagemill weights show` lists a model's labels"


def _of_model(query: sa.Select[Any], model_id: int | None) -> sa.Select[Any]:
    return query if model_id is None else query.where(labels.c.model_id == model_id)
