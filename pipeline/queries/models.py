"""Reads of models: what is known of each, and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.errors import UsageError
from pipeline.queries.histograms import get_label_histogram
from pipeline.queries.jobs import check_limit, get_job_by_number
from pipeline.records import Precision
from pipeline.tables import jobs, labels, models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Ids are 32-bit integers: of any other number there is no row, and PostgreSQL would raise.
_IDS = range(1, 2**31)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as people read it; ``labels`` and ``jobs`` are how many it has."""

    id: int
    name: str
    sha256: str
    precision: Precision
    preprocessing: str
    labels: int
    jobs: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """A label of a model, and how many images of the job asked for have it; None: no job was."""

    label: str
    index: int
    images: int | None


def list_models(
    conn: sa.Connection, limit: int = 100, before: int | None = None
) -> list[ModelRecord]:
    """Return a page of models, newest first; ``before`` is the id to go on from."""
    check_limit(limit)
    query = _MODELS.order_by(models.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(models.c.id < before)
    return [
        ModelRecord(**{**row, "precision": Precision(row["precision"])})
        for row in conn.execute(query).mappings()
    ]


def list_model_labels(
    conn: sa.Connection, model_id: int, job_id: int | None = None
) -> list[ModelLabel]:
    """Return all labels of a model by index, with the images of the job (``Job.id``) if given.

    They are counted as ``get_label_histogram`` counts them: of a large job that runs, in a sample.
    Raises UsageError for a model that is not there or not the job's, JobError for such a job.
    """
    query = (
        sa.select(labels.c.label, labels.c.index)
        .where(labels.c.model_id == model_id)
        .order_by(labels.c.index)
    )
    found = conn.execute(query).all() if model_id in _IDS else []
    if not found:
        raise UsageError(f"no model has the number {model_id}; ask for the list of models")
    images = None if job_id is None else _count_images(conn, model_id, job_id)
    return [ModelLabel(*row, None if images is None else images.get(row.label, 0)) for row in found]


def _count_images(conn: sa.Connection, model_id: int, job_id: int) -> Mapping[str, int]:
    job = get_job_by_number(conn, job_id)
    if job.model_id != model_id:
        raise UsageError(
            f"the job {job.handle!r} has the model with the number {job.model_id}; ask for that one"
        )
    return {one.label: one.images for one in get_label_histogram(conn, job).labels}


def _count(table: sa.Table) -> sa.ScalarSelect[int]:
    mine = table.c.model_id == models.c.id
    return sa.select(sa.func.count()).select_from(table).where(mine).scalar_subquery()


_MODELS = sa.select(
    *(models.c[name] for name in ("id", "name", "sha256", "precision", "preprocessing")),
    _count(labels).label("labels"),
    _count(jobs).label("jobs"),
    models.c.created_at,
)
