"""Two jobs of finished images, large enough that a database has a choice of plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.producer import submit
from pipeline.records import Failure, FailureCode, JobSpec, Outcome, Reference, Score
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Model

IMAGES = 1500


def outcome(index: int) -> Outcome:
    """Return a failure for one image of fifty, and two scores for the others."""
    if index % 50 == 0:
        return Outcome(index, failure=Failure(FailureCode.TIMEOUT, "too late"))
    scores = (Score(index % 10, (index % 97) / 97), Score((index + 1) % 10, 0.001))
    return Outcome(index, scores)


def answer(database: Database, model: Model, name: str, finished: int = IMAGES) -> int:
    """Submit a job of ``IMAGES`` images of which so many are finished, and return its number."""
    spec = JobSpec(name, model, {"top_k": 2}, "hash", 64)
    references = (Reference(f"/pictures/{n}.jpg", f"own-{n}") for n in range(IMAGES))
    job_id = submit(database, spec, references)
    with database.transaction() as conn:
        stored = save_model(conn, model)
        save_outcomes(conn, job_id, stored, [outcome(n) for n in range(finished)])
    return job_id


def answer_jobs(database: Database, model: Model) -> Database:
    """Have the jobs ``one`` and ``two``, of two models, and PostgreSQL's statistics of them."""
    answer(database, model, "one")
    answer(database, replace(model, sha256="6b" * 32), "two")
    if database.dialect == "postgresql":
        with database.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))
    return database
