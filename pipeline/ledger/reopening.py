"""Failures that are undone: their images are open again, and their chunks back in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.ledger.columns import UNSCATHED, queued

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.records import FailureCode

_chunk, _outcome = tables.chunks.c, tables.outcomes.c


def reopen_failures(
    connection: sa.Connection, job_id: int, codes: Collection[FailureCode] | None
) -> int:
    """Delete a job's failures of these codes (None: all), and queue their chunks again.

    A chunk in somebody's hands too: its finish will find no row. Returns how many images are open
    again. Only under the job's lock.
    """
    which = _outcome.code.is_not(None) if codes is None else _outcome.code.in_([*map(str, codes)])
    chosen = (_outcome.job_id == job_id, which)
    deleted = sa.delete(tables.outcomes).where(*chosen)
    if connection.dialect.name == "postgresql":
        # One statement, so one snapshot: a finish between two would be deleted and not counted.
        gone = deleted.returning(_outcome.index).cte("gone")
        counted = _count_by_chunk(job_id, gone.c.index)
        requeued = _requeue(job_id, counted).returning(counted.c.images).cte("requeued")
        images = sa.select(sa.func.coalesce(sa.func.sum(requeued.c.images), 0))
        return int(connection.execute(images).scalar_one())
    listed = sa.select(_outcome.index).where(*chosen).subquery()
    connection.execute(_requeue(job_id, _count_by_chunk(job_id, listed.c.index)))
    return connection.execute(deleted).rowcount


def _count_by_chunk(job_id: int, index: sa.ColumnElement[int]) -> sa.CTE:
    """Return how many of the indexes lie in each chunk: ``number, images``; none without one.

    One sort, whatever the numbers of chunks that were split: the beginnings of the chunks and the
    indexes stand in one row, and an index belongs to the last beginning before it.
    """
    beginnings = sa.select(
        _chunk.first.label("position"), sa.literal(0).label("image"), _chunk.number
    ).where(_chunk.job_id == job_id)
    row = beginnings.union_all(sa.select(index, sa.literal(1), sa.null())).subquery()
    order = (row.c.position, row.c.image)
    # Rows, not a range: a range would look for rows of the same rank first.
    place = sa.func.sum(1 - row.c.image).over(order_by=order, rows=(None, 0)).label("place")
    placed = sa.select(row.c.image, row.c.number, place).subquery()
    images = sa.func.sum(placed.c.image)
    counted = sa.select(sa.func.max(placed.c.number).label("number"), images.label("images"))
    return counted.group_by(placed.c.place).having(images > 0).cte("counted")


def _requeue(job_id: int, counted: sa.CTE) -> sa.Update:
    values: dict[str, Any] = queued(
        failed=_chunk.failed - counted.c.images, finished_at=None, **UNSCATHED
    )
    found = (_chunk.job_id == job_id, _chunk.number == counted.c.number)
    return sa.update(tables.chunks).where(*found).values(values)
