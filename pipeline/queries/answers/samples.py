"""A sample of a job's answers: those of whole chunks, spread evenly over the done ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.records import ChunkState
from pipeline.tables import chunks, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWER = (outcomes.c.label_id, outcomes.c.score)


def sample(conn: sa.Connection, job_id: int, step: int) -> sa.Subquery:
    """Return the ``label_id`` and ``score`` of the images of every ``step``-th done chunk.

    Read by ranges of the key alone, whatever the statistics say. A row without a label is none.
    """
    place = sa.func.row_number().over(order_by=chunks.c.number) - 1
    done = (
        sa.select(chunks.c.first, chunks.c.last, place.label("place"))
        .where(chunks.c.job_id == job_id, chunks.c.state == str(ChunkState.DONE))
        .subquery()
    )
    chosen = sa.select(done.c.first, done.c.last).where(done.c.place % step == 0).subquery()
    return _READERS[conn.dialect.name](job_id, chosen).subquery()


def _read_sqlite(job_id: int, chosen: sa.Subquery) -> sa.Select[Any]:
    # An outer join, since its order is fixed: chunk by chunk, and not the other way around.
    return sa.select(*_ANSWER).join_from(
        chosen, outcomes, sa.and_(*_inside(job_id, chosen)), isouter=True
    )


def _read_postgresql(job_id: int, chosen: sa.Subquery) -> sa.Select[Any]:
    # In the order of the key, and with a column that no other index has: of a job that its
    # statistics do not know, PostgreSQL would read another index from end to end for every chunk.
    found = (
        sa.select(*_ANSWER)
        .where(*_inside(job_id, chosen))
        .order_by(outcomes.c.index)
        .offset(0)
        .lateral()
    )
    return sa.select(found.c.label_id, found.c.score).select_from(chosen.join(found, sa.true()))


def _inside(job_id: int, chosen: sa.Subquery) -> list[sa.ColumnElement[bool]]:
    return [
        outcomes.c.job_id == job_id,
        outcomes.c.index.between(chosen.c.first, chosen.c.last),
        outcomes.c.code.is_(None),
    ]


_READERS: dict[str, Callable[[int, sa.Subquery], sa.Select[Any]]] = {
    "sqlite": _read_sqlite,
    "postgresql": _read_postgresql,
}
