"""Reads of a job's rules, as the process that carries its chunks needs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.records import JobRules, Precision
from pipeline.storage.rows import load_stored_model
from pipeline.tables import jobs, models

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES = sa.select(
    *(jobs.c.public_id, jobs.c.name, jobs.c.model_id, jobs.c.options, jobs.c.retries),
    *(jobs.c.max_failure_rate, models.c.sha256, models.c.precision, models.c.preprocessing),
).join(models, models.c.id == jobs.c.model_id)


def find_rules(conn: sa.Connection, job_id: int) -> JobRules | None:
    """Return what a job asks of whoever carries its chunks; None: the job is gone."""
    row = conn.execute(_RULES.where(jobs.c.id == job_id)).mappings().one_or_none()
    return None if row is None else _as_rules(conn, row)


def _as_rules(conn: sa.Connection, row: Mapping[Any, Any]) -> JobRules:
    options = row["options"]
    return JobRules(
        model=load_stored_model(conn, row["model_id"]),
        top_k=options["top_k"],
        retries=row["retries"],
        handle=row["name"] or row["public_id"],
        weights=options.get("weights") or "",
        sha256=row["sha256"],
        precision=Precision(row["precision"]),
        preprocessing=row["preprocessing"],
        folders=tuple(options.get("folders") or ()),
        roots=_read_roots(options),
        max_pixels=options.get("max_pixels"),
        max_bytes=options.get("max_bytes"),
        reuse=bool(options.get("reuse")),
        limited=row["max_failure_rate"] is not None,
    )


def _read_roots(options: Mapping[str, Any]) -> tuple[Path, ...] | None:
    roots = options.get("roots")
    return None if roots is None else tuple(map(Path, roots))
