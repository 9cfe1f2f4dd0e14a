"""Reads of chunks: where each is in its life, by what it was made, and where its time went."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.queries.jobs import check_limit
from pipeline.records import ChunkState
from pipeline.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A chunk as people read it: where it is in its life, and how it was made (times in ms)."""

    number: int
    first: int
    last: int
    state: ChunkState
    lost: int
    solo_lost: int
    retries: int
    worker: str | None
    lease_until: datetime | None
    sent_at: datetime | None
    not_before: datetime | None
    succeeded: int
    failed: int
    batch_sizes: tuple[int, ...]
    queue_wait_ms: float | None
    read_ms: float | None
    decode_ms: float | None
    forward_ms: float | None
    store_ms: float | None
    engine: str | None
    device: str | None
    versions: dict[str, str]
    started_at: datetime | None
    finished_at: datetime | None


_CHUNKS = sa.select(*(chunks.c[field.name] for field in fields(ChunkRecord)))


def list_chunks(
    conn: sa.Connection, job_id: int, limit: int = 100, after: int = -1
) -> list[ChunkRecord]:
    """Return a page of a job's chunks by number; ``after`` is the number that ended the last."""
    check_limit(limit)
    query = _CHUNKS.where(chunks.c.job_id == job_id, chunks.c.number > after)
    found = conn.execute(query.order_by(chunks.c.number).limit(limit))
    return [_as_chunk(row) for row in found.mappings()]


def find_chunk(conn: sa.Connection, job_id: int, index: int) -> ChunkRecord | None:
    """Return the chunk that holds an image; None: no chunk of the job does."""
    holding = _CHUNKS.where(
        chunks.c.job_id == job_id, chunks.c.first <= index, chunks.c.last >= index
    )
    number = _guess_number(conn, job_id, index)
    row = conn.execute(holding.where(chunks.c.number == number)).mappings().one_or_none()
    if row is None:
        # It was split: those of one image are behind all the others, so begin at the end.
        last = holding.order_by(chunks.c.number.desc()).limit(1)
        row = conn.execute(last).mappings().one_or_none()
    return None if row is None else _as_chunk(row)


def _guess_number(conn: sa.Connection, job_id: int, index: int) -> int:
    """Return the number of the chunk that held an image when the job was submitted.

    A chunk that was not split begins at its number times the job's chunk size.
    """
    columns = (chunks.c.number, chunks.c.first, chunks.c.last)
    query = sa.select(*columns).where(chunks.c.job_id == job_id).order_by(chunks.c.number).limit(1)
    found = conn.execute(query).one_or_none()
    if found is None:
        return 0
    size: int = found.first // found.number if found.number else found.last + 1
    return index // max(1, size)


def _as_chunk(row: Mapping[Any, Any]) -> ChunkRecord:
    made = {
        "state": ChunkState(row["state"]),
        "batch_sizes": tuple(row["batch_sizes"] or ()),
        "versions": row["versions"] or {},
    }
    return ChunkRecord(**{**row, **made})
