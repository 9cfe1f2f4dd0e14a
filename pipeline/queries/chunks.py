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


def list_chunks(
    conn: sa.Connection, job_id: int, limit: int = 100, after: int = -1
) -> list[ChunkRecord]:
    """Return a page of a job's chunks by number; ``after`` is the number that ended the last."""
    check_limit(limit)
    query = (
        sa.select(*(chunks.c[field.name] for field in fields(ChunkRecord)))
        .where(chunks.c.job_id == job_id, chunks.c.number > after)
        .order_by(chunks.c.number)
        .limit(limit)
    )
    return [_as_chunk(row) for row in conn.execute(query).mappings()]


def _as_chunk(row: Mapping[Any, Any]) -> ChunkRecord:
    made = {
        "state": ChunkState(row["state"]),
        "batch_sizes": tuple(row["batch_sizes"] or ()),
        "versions": row["versions"] or {},
    }
    return ChunkRecord(**{**row, **made})
