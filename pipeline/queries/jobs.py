"""Reads of jobs: records with live counts, failures, and the images still open."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.errors import UnknownJobError, UsageError
from pipeline.records import (
    ChunkState,
    Counts,
    Dispatch,
    ImageRef,
    Job,
    JobStatus,
    Precision,
    Priority,
)
from pipeline.references import is_storable
from pipeline.storage.deletion import has_ended
from pipeline.tables import chunks, images, jobs, models, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Jobs that are read at once where all are wanted.
_PAGE = 500
#: A job's counts, and its reused.
_Sums = tuple[Counts, int]
_JOBS = sa.select(
    jobs,
    models.c.name.label("model_name"),
    models.c.sha256.label("model_sha256"),
    models.c.precision,
    models.c.preprocessing,
).join(models, models.c.id == jobs.c.model_id)


@dataclass(frozen=True, slots=True)
class JobHead:
    """What other reads need of a job: no sums over its chunks."""

    id: int
    public_id: str
    name: str | None
    model_id: int
    options: dict[str, Any]
    total: int

    @property
    def handle(self) -> str:
        """The name if it has one, else the id: either means the job everywhere."""
        return self.name or self.public_id


def find_job(conn: sa.Connection, key: str) -> Job | None:
    """Return the job whose id or name is ``key``; an id goes before another job's name."""
    return next(iter(_read_jobs(conn, _named(_JOBS, key))), None)


def get_job(conn: sa.Connection, key: str) -> Job:
    """Return the job whose id or name is ``key``; JobError if there is none."""
    job = find_job(conn, key)
    if job is None:
        raise _no_job(key)
    return job


def get_job_by_number(conn: sa.Connection, job_id: int) -> Job:
    """Return the job with this number (``Job.id``); JobError if it is gone."""
    found = _read_jobs(conn, _JOBS.where(jobs.c.id == job_id))
    if not found:
        raise _gone(job_id)
    return found[0]


def get_job_head(conn: sa.Connection, key: str) -> JobHead:
    """Return the head of the job whose id or name is ``key``; JobError if there is none."""
    columns = (jobs.c[field.name] for field in fields(JobHead))
    row = conn.execute(_named(sa.select(*columns), key)).one_or_none()
    if row is None:
        raise _no_job(key)
    return JobHead(*row)


def list_jobs(conn: sa.Connection, limit: int = 50, before: int | None = None) -> list[Job]:
    """Return a page of jobs, newest first; ``before`` is the ``Job.id`` to go on from."""
    check_limit(limit)
    query = _JOBS.order_by(jobs.c.id.desc()).limit(limit)
    return _read_jobs(conn, query if before is None else query.where(jobs.c.id < before))


def iterate_ended_jobs(conn: sa.Connection, ended_for_s: float) -> Iterator[Job]:
    """Yield every job that ended that long ago by the database's clock, the oldest first."""
    after, query = 0, _JOBS.where(has_ended(ended_for_s)).order_by(jobs.c.id).limit(_PAGE)
    while page := _read_jobs(conn, query.where(jobs.c.id > after)):
        yield from page
        after = page[-1].id


def count_jobs(conn: sa.Connection) -> int:
    """Return the number of jobs, half submitted ones included."""
    return conn.scalar(sa.select(sa.func.count()).select_from(jobs)) or 0


def get_counts(conn: sa.Connection, job_id: int) -> Counts:
    """Return a job's books as its chunks have them now; JobError if there is no such job."""
    total = conn.scalar(sa.select(jobs.c.total).where(jobs.c.id == job_id))
    if total is None:
        raise _gone(job_id)
    return _sum_chunks(conn, {job_id: total})[job_id][0]


def count_reused(conn: sa.Connection, job_id: int) -> int:
    """Return how many images of a job took a known answer, as its chunks have it now."""
    return _sum_chunks(conn, {job_id: 0})[job_id][1]


def count_failures(conn: sa.Connection, job_id: int) -> dict[str, int]:
    """Return a job's failures by code, the most frequent first."""
    number = sa.func.count().label("images")
    query = (
        sa.select(outcomes.c.code, number)
        .where(outcomes.c.job_id == job_id, outcomes.c.code.is_not(None))
        .group_by(outcomes.c.code)
        .order_by(number.desc(), outcomes.c.code)
    )
    return {row.code: row.images for row in conn.execute(query)}


def list_open_images(conn: sa.Connection, job_id: int, first: int, last: int) -> list[ImageRef]:
    """Return the images of the range (both ends included) without an outcome, in order."""
    finished = (
        sa.select(outcomes.c.index)
        .where(outcomes.c.job_id == images.c.job_id, outcomes.c.index == images.c.index)
        .correlate(images)
        # Looked up image by image: PostgreSQL may not make a join of it. Where its statistics do
        # not know the job yet, it would read every outcome of the job for every image.
        .offset(0)
    )
    query = (
        sa.select(images.c.index, images.c.uri)
        .where(images.c.job_id == job_id, images.c.index.between(first, last), ~finished.exists())
        .order_by(images.c.index)
    )
    return [ImageRef(*row) for row in conn.execute(query)]


def check_limit(limit: int) -> None:
    """Raise UsageError for a page of no rows (SQLite takes -1 for all of them)."""
    if limit < 1:
        raise UsageError(f"a page of {limit} rows shows nothing; ask for a limit of at least 1")


def _named(query: sa.Select[Any], key: str) -> sa.Select[Any]:
    if not is_storable(key):
        return query.where(sa.false())
    is_id = jobs.c.public_id == key
    return query.where(is_id | (jobs.c.name == key)).order_by(is_id.desc()).limit(1)


def _gone(job_id: int) -> UnknownJobError:
    sentence = "is gone; `imagemill jobs list` shows what is there"
    return UnknownJobError(f"job number {job_id} {sentence}")


def _no_job(key: str) -> UnknownJobError:
    return UnknownJobError(f"no job {key!r}; `imagemill jobs list` shows them")


def _read_jobs(conn: sa.Connection, query: sa.Select[Any]) -> list[Job]:
    rows = conn.execute(query).mappings().all()
    live = {row["id"]: row["total"] for row in rows if not _has_books(row)}
    sums = _sum_chunks(conn, live)
    return [_as_job(row, *(sums.get(row["id"]) or _read_books(row))) for row in rows]


def _has_books(row: Mapping[Any, Any]) -> bool:
    return not JobStatus(row["status"]).is_alive and row["succeeded"] is not None


def _read_books(row: Mapping[Any, Any]) -> _Sums:
    names = ("total", "succeeded", "failed", "cancelled", "reused")
    *counts, reused = (row[name] or 0 for name in names)
    return Counts(*counts), reused


def _sum_chunks(conn: sa.Connection, totals: Mapping[int, int]) -> dict[int, _Sums]:
    """Return the counts of each job, and how many of the succeeded were reused."""
    finished = chunks.c.succeeded + chunks.c.failed
    left = sa.case(
        (chunks.c.state == ChunkState.CANCELLED, chunks.c.last - chunks.c.first + 1 - finished),
        else_=0,
    )
    columns = (chunks.c.succeeded, chunks.c.failed, left, chunks.c.reused)
    sums = [sa.func.sum(column) for column in columns]
    query = sa.select(chunks.c.job_id, *sums).where(chunks.c.job_id.in_(totals))
    summed = {job_id: (Counts(total), 0) for job_id, total in totals.items()}
    for job_id, *found, reused in conn.execute(query.group_by(chunks.c.job_id)) if totals else ():
        summed[job_id] = (Counts(totals[job_id], *found), reused)
    return summed


def _as_job(row: Mapping[Any, Any], counts: Counts, reused: int) -> Job:
    named = {field.name: row[field.name] for field in fields(Job) if field.name in row}
    made = {
        "status": JobStatus(row["status"]),
        "dispatch": Dispatch(row["dispatch"]),
        "priority": Priority(row["priority"]),
        "precision": Precision(row["precision"]),
        "histogram": row["histogram"] or {},
        "scores": None if row["scores"] is None else tuple(row["scores"]),
        "counts": counts,
        "reused": reused,
    }
    return Job(**{**named, **made})
