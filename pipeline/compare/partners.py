"""The partners of images that have another place in the other job."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.compare.candidates import Candidate, Found, Walk
from pipeline.compare.keys import JoinKey
from pipeline.tables import images, labels, outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    #: The indexes of each key in the two jobs of a walk: ``{key: {job_id: indexes}}``.
    Places = defaultdict[str, defaultdict[int, list[int]]]

#: An image of the walked job, and the same in the other: they have two labels.
Flipped = tuple[Found, Found]
_UNROLL = {"sqlite": sa.func.json_each, "postgresql": sa.func.json_array_elements}


def find_partners(conn: sa.Connection, walk: Walk, lost: Sequence[Candidate]) -> list[Flipped]:
    """Return those of the images that are flipped in the other job, each with its partner."""
    if not lost:
        return []
    partner = _pair(_read_places(conn, walk, lost), walk)
    answers = _read_answers(conn, walk.other, sorted(set(partner.values())))
    known = ((one.mine, answers.get(partner.get(one.mine.index, -1))) for one in lost)
    return [(mine, other) for mine, other in known if other and _is_flipped(mine, other, walk)]


def _is_flipped(mine: Found, other: Found, walk: Walk) -> bool:
    return other.label != mine.label and walk.other_label in (None, other.label)


def _read_places(conn: sa.Connection, walk: Walk, lost: Sequence[Candidate]) -> Places:
    by_uri = walk.by is JoinKey.URI
    said = {one.uri_hash if by_uri else one.mine.custom_id for one in lost}
    wanted = _unroll(conn, [[key, job] for key in said for job in (walk.walked, walk.other)])
    text = wanted.c.value[0].as_string()
    same = images.c.uri_hash == sa.cast(text, sa.BigInteger)
    if not by_uri:
        same = images.c.custom_id == text
    mine = images.c.job_id == wanted.c.value[1].as_integer()
    query = (
        sa.select(walk.by.column(images), images.c.job_id, images.c.index)
        .select_from(wanted.join(images, same & mine))
        .order_by(images.c.index)
    )
    places: Places = defaultdict(lambda: defaultdict(list))
    for key, job_id, index in conn.execute(query):
        places[key][job_id].append(index)
    return places


def _pair(places: Places, walk: Walk) -> dict[int, int]:
    """Return the partner of each place: what is not at the same place goes in order."""
    partners: dict[int, int] = {}
    for found in places.values():
        mine, others = found[walk.walked], found[walk.other]
        both = {*mine} & {*others}
        left = ([index for index in each if index not in both] for each in (mine, others))
        partners.update(zip(*left, strict=False))
    return partners


def _read_answers(conn: sa.Connection, job_id: int, indexes: Sequence[int]) -> dict[int, Found]:
    wanted = _unroll(conn, [[job_id, index] for index in indexes])
    job, index = (wanted.c.value[place].as_integer() for place in (0, 1))
    query = sa.select(
        *(images.c.index, images.c.uri, images.c.custom_id, labels.c.label, outcomes.c.score)
    ).select_from(
        wanted.join(images, (images.c.job_id == job) & (images.c.index == index))
        .join(outcomes, (outcomes.c.job_id == job) & (outcomes.c.index == index))
        .join(labels, labels.c.id == outcomes.c.label_id)
    )
    return {index: Found(index, *row) for index, *row in conn.execute(query)}


def _unroll(conn: sa.Connection, values: list[list[Any]]) -> sa.TableValuedAlias:
    """Return the values as rows, by one bound value: no limit on parameters."""
    rows = _UNROLL[conn.dialect.name](sa.literal(values, sa.JSON()))
    return rows.table_valued(sa.column("value", sa.JSON()))
