"""One image: what it is and was found to be, how that was made, and its past in other jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.errors import UnknownJobError
from pipeline.queries.chunks import ChunkRecord, find_chunk
from pipeline.queries.details import read_rows
from pipeline.queries.jobs import JobHead, check_limit, get_job_head
from pipeline.records import FailureCode, ImageResult, Precision
from pipeline.references import is_storable
from pipeline.storage.rows import uri_hash
from pipeline.tables import images, jobs, labels, models, outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Indexes are 32-bit integers: of any other there is no row, and PostgreSQL would raise.
_INDEXES = range(2**31)


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image in its job (``job`` is its name or id, ``job_id`` its public id).

    ``result``: None while it is open. Size in bytes, modified time or ETag (``version``), SHA-256
    in hex and pixels are those of the bytes that were classified; None: not known. ``chunk``: how
    it was made; None: the job is being deleted.
    """

    job: str
    job_id: str
    index: int
    uri: str
    custom_id: str | None
    result: ImageResult | None
    size: int | None
    version: str | None
    sha256: str | None
    width: int | None
    height: int | None
    chunk: ChunkRecord | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What a job made of a uri: its label and score of rank 1, or a failure's code.

    With neither the image is open. ``finished_at`` is the end of the job; None: it goes on.
    """

    job: str
    job_id: str
    index: int
    model: str
    precision: Precision
    label: str | None
    score: float | None
    code: FailureCode | None
    finished_at: datetime | None


def get_image(conn: sa.Connection, job_key: str, index: int) -> ImageView:
    """Return an image by its job's id or name and its index; JobError if either is not there."""
    job = get_job_head(conn, job_key)
    facts = _find_facts(conn, job.id, index)
    if facts is None:
        raise UnknownJobError(_explain_missing(job, index))
    found = read_rows(conn, [(job.id, index)])
    return ImageView(
        *(job.handle, job.public_id, index, facts.uri, facts.custom_id),
        *(found[0].result if found else None, facts.size, facts.version),
        *(facts.sha256 and facts.sha256.hex(), facts.width, facts.height),
        find_chunk(conn, job.id, index),
    )


def get_uri(conn: sa.Connection, job: JobHead, index: int) -> str:
    """Return the uri of a job's image, and read nothing else; JobError if it is not there."""
    uri: str | None = None
    if index in _INDEXES:
        mine = (images.c.job_id == job.id, images.c.index == index)
        uri = conn.scalar(sa.select(images.c.uri).where(*mine))
    if uri is None:
        raise UnknownJobError(_explain_missing(job, index))
    return uri


def list_history(conn: sa.Connection, uri: str, limit: int = 50) -> list[HistoryRow]:
    """Return what every job made of a uri, the newest job first; open images and failures too."""
    check_limit(limit)
    if not is_storable(uri):
        return []
    same = (images.c.uri_hash == uri_hash(uri), images.c.uri == uri)
    newest = (images.c.job_id.desc(), images.c.index.desc())
    mine = sa.select(images.c.job_id, images.c.index).where(*same).order_by(*newest).limit(limit)
    return [_as_history(row) for row in conn.execute(_tell(mine.subquery())).mappings()]


def _find_facts(conn: sa.Connection, job_id: int, index: int) -> sa.Row[*tuple[Any, ...]] | None:
    if index not in _INDEXES:
        return None
    found = outcomes.c
    columns = (found.size, found.version, found.sha256, found.width, found.height)
    query = (
        sa.select(images.c.uri, images.c.custom_id, *columns)
        .outerjoin_from(images, outcomes, _same(images))
        .where(images.c.job_id == job_id, images.c.index == index)
    )
    return conn.execute(query).one_or_none()


def _same(image: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(outcomes.c.job_id == image.c.job_id, outcomes.c.index == image.c.index)


def _explain_missing(job: JobHead, index: int) -> str:
    known = f"its images are 0 to {job.total - 1}" if job.total else "it has none"
    return f"job {job.handle!r} has no image {index}; {known}"


def _tell(image: sa.Subquery) -> sa.Select[Any]:
    job = (sa.func.coalesce(jobs.c.name, jobs.c.public_id).label("job"), jobs.c.public_id)
    model = (models.c.name.label("model"), models.c.precision)
    found = (labels.c.label, outcomes.c.score, outcomes.c.code, jobs.c.finished_at)
    return (
        sa.select(*job, image.c.index, *model, *found)
        .join_from(image, jobs, jobs.c.id == image.c.job_id)
        .join(models, models.c.id == jobs.c.model_id)
        .outerjoin(outcomes, _same(image))
        .outerjoin(labels, labels.c.id == outcomes.c.label_id)
        .order_by(image.c.job_id.desc(), image.c.index.desc())
    )


def _as_history(row: Mapping[Any, Any]) -> HistoryRow:
    named = {name: row[name] for name in ("job", "index", "model", "label", "score", "finished_at")}
    code = row["code"]
    return HistoryRow(
        **named,
        job_id=row["public_id"],
        precision=Precision(row["precision"]),
        code=None if code is None else FailureCode(code),
    )
