"""The images of a walk over one job: what the other job says of the image at the same place.

The walk goes by an index from the least certain image on, a piece at a time, so that a page costs
what it looks at, whatever the size of the jobs. Most flips are where a model is least certain.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.compare.cursors import Place
from pipeline.tables import images, labels, outcomes

if TYPE_CHECKING:
    from pipeline.compare.keys import JoinKey


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over the answers of job ``walked``: all of them, or those with one label."""

    walked: int
    other: int
    by: JoinKey
    #: The label of the images that are walked over; None: whatever they have.
    label_id: int | None = None
    #: The text of the label that they must have in the other job; None: any but their own.
    other_label: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An image of one job with its answer."""

    index: int
    uri: str
    custom_id: str | None
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be flipped; no ``other``: its place in the other job is not its own."""

    mine: Found
    uri_hash: int
    other: Found | None


def read_candidates(conn: sa.Connection, walk: Walk, after: Place, piece: int) -> list[Candidate]:
    """Return those of the next ``piece`` images that are flipped, or elsewhere in the other job."""
    seen = _select_piece(walk, after, piece).subquery("seen")
    mine, theirs = images.alias("mine"), images.alias("theirs")
    answer, other = labels.alias("answer"), labels.alias("other_answer")
    same = walk.by.column(theirs).is_not_distinct_from(walk.by.column(mine))
    flipped = same & (other.c.label != answer.c.label)
    if walk.other_label is not None:
        flipped = flipped & (other.c.label == walk.other_label)
    joined = (
        # The jobs come from the rows of the piece: a job that PostgreSQL's statistics do not know
        # yet would be read whole, were it said here.
        seen.join(mine, (mine.c.job_id == seen.c.walked) & (mine.c.index == seen.c.index))
        .join(answer, answer.c.id == seen.c.label_id)
        .outerjoin(theirs, (theirs.c.job_id == seen.c.other) & (theirs.c.index == seen.c.index))
        .outerjoin(
            outcomes, (outcomes.c.job_id == seen.c.other) & (outcomes.c.index == seen.c.index)
        )
        .outerjoin(other, other.c.id == outcomes.c.label_id)
    )
    query = (
        sa.select(
            *(seen.c.index, mine.c.uri, mine.c.custom_id, answer.c.label, seen.c.score),
            *(mine.c.uri_hash, same),
            *(theirs.c.index, theirs.c.uri, theirs.c.custom_id, other.c.label, outcomes.c.score),
        )
        .select_from(joined)
        .where(walk.by.column(mine).is_not(None), flipped | ~same)
        .order_by(seen.c.score, seen.c.index)
    )
    return [_as_candidate(*row) for row in conn.execute(query)]


def find_end(conn: sa.Connection, walk: Walk, after: Place, piece: int) -> Place | None:
    """Return the place of the last image of the piece; None: the walk ends in it."""
    last = _select_piece(walk, after, piece).offset(piece - 1).limit(1).subquery()
    row = conn.execute(sa.select(last.c.score, last.c.index)).one_or_none()
    return None if row is None else Place(*row)


def _select_piece(walk: Walk, after: Place, piece: int) -> sa.Select[Any]:
    key = (outcomes.c.score, outcomes.c.index)
    label = outcomes.c.label_id
    mine = outcomes.c.job_id == walk.walked
    wanted = [] if walk.label_id is None else [label == walk.label_id]
    jobs = (sa.literal(walk.walked).label("walked"), sa.literal(walk.other).label("other"))
    return (
        sa.select(*key, label, *jobs)
        # A failure has no score, and so is behind no place.
        .where(mine, *wanted, sa.tuple_(*key) > sa.tuple_(*astuple(after)))
        .order_by(*key)
        .limit(piece)
    )


def _as_candidate(*row: Any) -> Candidate:
    uri_hash, same, *other = row[5:]
    return Candidate(Found(*row[:5]), uri_hash, Found(*other) if same else None)
