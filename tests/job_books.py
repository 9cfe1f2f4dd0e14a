"""Carries small jobs as told, and recounts their books past the code that keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import ledger, tables
from pipeline.database.database import Database
from pipeline.queries.jobs import get_job_by_number, list_open_images
from pipeline.records import (
    Claim,
    Counts,
    Failure,
    FailureCode,
    JobStatus,
    Outcome,
    Provenance,
    Score,
)

if TYPE_CHECKING:
    from conftest import SmallJob

NOTHING: Mapping[int, FailureCode] = {}
_FINISHED = ("completed", "failed", "cancelled")


def carry(
    database: Database,
    job: SmallJob,
    failing: Mapping[int, FailureCode] = NOTHING,
    claim: Claim | None = None,
) -> bool:
    """Claim the job's next chunk (or take ``claim``), and finish what is open of it."""
    claim = claim or ledger.claim_next(database, job.id, "test", 60)
    assert claim is not None
    with database.reading() as connection:
        images = list_open_images(connection, job.id, claim.first, claim.last)
    outcomes = [
        Outcome(image.index, failure=Failure(failing[image.index], "bad"))
        if image.index in failing
        else Outcome(image.index, (Score(0, 0.9), Score(9, 0.1)))
        for image in images
    ]
    return ledger.finish(database, claim, job.model, outcomes, Provenance((3, 1)))


def carry_all(database: Database, job: SmallJob) -> None:
    """Finish every open chunk, and the job."""
    while ledger.seconds_to_next(database, job.id) is not None:
        assert carry(database, job)
    assert ledger.complete(database, job.id)


def recount(database: Database, job_id: int) -> Counts:
    """Return a job's counts after every chunk, outcome and stored number has been compared."""
    with database.reading() as connection:
        job = get_job_by_number(connection, job_id)
        chunk, outcome = tables.chunks.c, tables.outcomes.c
        of_job = sa.select(tables.chunks).where(chunk.job_id == job_id).order_by(chunk.first)
        chunks = connection.execute(of_job).all()
        found = sa.select(outcome.index, outcome.code).where(outcome.job_id == job_id)
        codes = {row[0]: row[1] for row in connection.execute(found)}
    by_state: Counter[str] = Counter()
    expected = 0
    for one in chunks:
        assert one.first == expected, "the chunks leave no image out, and share none"
        expected = one.last + 1
        images = range(one.first, one.last + 1)
        failed = sum(codes.get(index) is not None for index in images)
        succeeded = sum(index in codes and codes[index] is None for index in images)
        assert (one.succeeded, one.failed) == (succeeded, failed), one
        left = len(images) - succeeded - failed
        assert (one.state == "done") == (left == 0), one
        if one.state in ("queued", "cancelled"):
            assert (one.lease_until, one.worker) == (None, None), one
        by_state[one.state] += left
    assert expected == job.counts.total
    failed = sum(code is not None for code in codes.values())
    counts = Counts(job.counts.total, len(codes) - failed, failed, by_state["cancelled"])
    assert job.counts == counts
    pending = by_state["queued"] + by_state["running"]
    assert counts.total == counts.succeeded + counts.failed + counts.cancelled + pending
    ended = str(job.status) in _FINISHED
    assert ended == (pending == 0 and job.finished_at is not None), job
    assert sum(job.histogram.values()) == (counts.succeeded if ended else 0)
    assert by_state["cancelled"] == 0 or job.status in (JobStatus.CANCELLED, JobStatus.FAILED)
    return counts
