"""The sides of a comparison: two jobs, and how far each of them is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.errors import JobError, UsageError
from pipeline.queries.jobs import get_job_head
from pipeline.records import JobStatus
from pipeline.tables import jobs, labels, models

_UNTOLD = ("id", "model_id", "finished_at")


@dataclass(frozen=True, slots=True)
class Side:
    """A job as a comparison needs it: ``job`` is its name or id, ``total`` its images."""

    id: int
    model_id: int
    job: str
    job_id: str
    model: str
    precision: str
    status: JobStatus
    total: int
    finished_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Return whether no more of its images will get an answer by themselves."""
        return not self.status.is_alive

    def as_dict(self) -> dict[str, Any]:
        """Return ``job job_id model precision status total``."""
        told = asdict(self)
        return {name: told[name] for name in told if name not in _UNTOLD}


def get_sides(conn: sa.Connection, a: str, b: str) -> tuple[Side, Side]:
    """Return the two jobs, each by its id or its name.

    Raises JobError for one that does not exist or is not submitted yet, and UsageError when both
    are the same job.
    """
    sides = _get_side(conn, a), _get_side(conn, b)
    if sides[0].id == sides[1].id:
        raise UsageError(
            f"{sides[0].job} agrees with itself; name two jobs, `imagemill jobs list` shows them"
        )
    return sides


def read_labels(conn: sa.Connection, *sides: Side) -> dict[int, str]:
    """Return the labels of the sides' models by their ids."""
    mine = labels.c.model_id.in_({side.model_id for side in sides})
    rows = conn.execute(sa.select(labels.c.id, labels.c.label).where(mine))
    return {row.id: row.label for row in rows}


def _get_side(conn: sa.Connection, key: str) -> Side:
    head = get_job_head(conn, key)
    handle = sa.func.coalesce(jobs.c.name, jobs.c.public_id)
    columns = (handle, jobs.c.public_id, models.c.name, models.c.precision, jobs.c.status)
    query = (
        sa.select(*columns, jobs.c.total, jobs.c.finished_at, jobs.c.submitted_at)
        .join(models, models.c.id == jobs.c.model_id)
        .where(jobs.c.id == head.id)
    )
    job, job_id, model, precision, status, *rest, submitted_at = conn.execute(query).one()
    if submitted_at is None:
        raise JobError(f"{job} is still being submitted; compare it when all its images are in")
    return Side(head.id, head.model_id, job, job_id, model, precision, JobStatus(status), *rest)
