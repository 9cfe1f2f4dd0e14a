"""The join of two jobs: which image of the one is which image of the other.

Images at the same place (index) with the same key are the same image. What is left is joined by
its key, and where a key is there several times, in the order of the images. So two jobs of the same
sources are joined by their indexes alone, and a key that is there twice never counts more often
than in the job that has it least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from pipeline.compare.keys import JoinKey
from pipeline.tables import images, outcomes

if TYPE_CHECKING:
    from pipeline.compare.sides import Side

#: Images in a group of two that are the same image.
_BOTH = 2
#: Images of a side that are looked up to find out whether a join by another key makes sense.
_SAMPLE = 1000


class Tally(NamedTuple):
    """How many images have these two labels, and b's scores - a's, summed.

    A finished one without a label is a failure; ``finished``: in both jobs.
    """

    label_a: int | None
    label_b: int | None
    finished: bool
    images: int
    change: float | None


def count_in_place(conn: sa.Connection, a: Side, b: Side, by: JoinKey) -> int:
    """Return how many images have the same key at the same place in both jobs."""
    left, right = images.alias("images_a"), images.alias("images_b")
    # Summed, not joined by: the places alone join, in the order in which both jobs are stored.
    same = sa.func.sum(sa.case((_is_same(left, right, by), 1), else_=0))
    query = (
        sa.select(same)
        .select_from(left.join(right, left.c.index == right.c.index))
        .where(left.c.job_id == a.id, right.c.job_id == b.id)
    )
    return int(conn.scalar(query) or 0)


def tally_in_place(conn: sa.Connection, a: Side, b: Side) -> list[Tally]:
    """Return the tallies of images with the same place, known to be the same images.

    Those that are finished in both jobs alone: where all are, nothing is read but their outcomes.
    """
    left, right = outcomes.alias("outcomes_a"), outcomes.alias("outcomes_b")
    found = left.join(right, left.c.index == right.c.index)
    # All of them: so SQLite reads both jobs in this order, not the one by an index of labels.
    mine = (left.c.job_id == a.id, left.c.index >= 0, right.c.job_id == b.id)
    return _tally(conn, sa.select(*_facts(left, right)).select_from(found).where(*mine))


def tally_everywhere(conn: sa.Connection, a: Side, b: Side, by: JoinKey) -> list[Tally]:
    """Return the tallies of all images that are joined, wherever they are."""
    left, right = outcomes.alias("outcomes_a"), outcomes.alias("outcomes_b")
    pair = sa.union_all(_in_place(a, b, by), sa.select(_elsewhere(a, b, by))).subquery("pair")
    in_a = (left.c.job_id == a.id) & (left.c.index == pair.c.a)
    in_b = (right.c.job_id == b.id) & (right.c.index == pair.c.b)
    found = pair.outerjoin(left, in_a).outerjoin(right, in_b)
    return _tally(conn, sa.select(*_facts(left, right)).select_from(found))


def shares_some(conn: sa.Connection, a: Side, b: Side, by: JoinKey) -> bool:
    """Return whether one of the first images of ``a`` is in ``b`` by that key."""
    key, others = by.column(images), images.alias("images_b")
    first = (
        sa.select(key.label("key"), images.c.uri_hash, sa.literal(b.id).label("job_id"))
        .where(images.c.job_id == a.id, key.is_not(None))
        .order_by(images.c.index)
        .limit(_SAMPLE)
        .subquery()
    )
    same = [by.column(others) == first.c.key, others.c.job_id == first.c.job_id]
    same += [others.c.uri_hash == first.c.uri_hash] if by is JoinKey.URI else []
    query = sa.select(first.c.key).join(others, sa.and_(*same)).limit(1)
    return conn.execute(query).first() is not None


def _facts(left: sa.FromClause, right: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    finished = left.c.index.is_not(None) & right.c.index.is_not(None)
    groups = [left.c.label_id.label("label_a"), right.c.label_id.label("label_b")]
    change = sa.func.sum(right.c.score - left.c.score)
    return [*groups, finished.label("finished"), sa.func.count(), change]


def _tally(conn: sa.Connection, query: sa.Select[Any]) -> list[Tally]:
    grouped = query.group_by("label_a", "label_b", "finished")
    return [Tally(*row) for row in conn.execute(grouped)]


def _is_same(left: sa.FromClause, right: sa.FromClause, by: JoinKey) -> sa.ColumnElement[bool]:
    # Not ``=``: PostgreSQL would take it for one more column to join by.
    same = by.column(left).is_not_distinct_from(by.column(right))
    return same & _has_key(left, by)


def _has_key(table: sa.FromClause, by: JoinKey) -> sa.ColumnElement[bool]:
    # Not the bare column: SQLite would go by the index of it, through the images of all jobs.
    return by.column(table).op("||")("").is_not(None)


def _in_place(a: Side, b: Side, by: JoinKey) -> sa.Select[Any]:
    left, right = images.alias("images_a"), images.alias("images_b")
    return (
        sa.select(left.c.index.label("a"), right.c.index.label("b"))
        .select_from(left.join(right, left.c.index == right.c.index))
        .where(left.c.job_id == a.id, right.c.job_id == b.id, _is_same(left, right, by))
    )


def _elsewhere(a: Side, b: Side, by: JoinKey) -> sa.Subquery:
    """Return the pairs of what is left of both jobs: in one group, by the key and its number."""
    none = sa.cast(sa.null(), sa.Integer)
    left, right = _left_over(a, b, by).subquery("left_a"), _left_over(b, a, by).subquery("left_b")
    # Not joined: SQLite would look through all of the one for every image of the other.
    both = sa.union_all(
        sa.select(*left.c[1:], left.c.index.label("a"), none.label("b")),
        sa.select(*right.c[1:], none.label("a"), right.c.index.label("b")),
    ).subquery("left")
    return (
        sa.select(sa.func.max(both.c.a).label("a"), sa.func.max(both.c.b).label("b"))
        .group_by(*both.c[:-2])
        .having(sa.func.count() == _BOTH)
        .subquery("elsewhere")
    )


def _left_over(side: Side, other: Side, by: JoinKey) -> sa.Select[Any]:
    """Return the images whose place is another's in the other job, each numbered within its key."""
    mine, theirs = images.alias("mine"), images.alias("theirs")
    key = by.column(mine)
    in_place = (theirs.c.job_id == other.id) & (theirs.c.index == mine.c.index)
    # A hash is compared faster than the uri that it stands before.
    keys = [mine.c.uri_hash, key] if by is JoinKey.URI else [key]
    number = sa.func.row_number().over(partition_by=keys, order_by=mine.c.index)
    return (
        sa.select(mine.c.index, *keys, number.label("number"))
        .select_from(mine.outerjoin(theirs, in_place))
        .where(mine.c.job_id == side.id, _has_key(mine, by))
        .where(by.column(theirs).is_distinct_from(key))
    )
