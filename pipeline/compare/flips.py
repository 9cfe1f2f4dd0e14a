"""The flipped images of two jobs, a page at a time, the least certain first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.compare.candidates import Found, Walk, find_end, read_candidates
from pipeline.compare.cursors import START, Place, read_cursor, write_cursor
from pipeline.compare.keys import JoinKey
from pipeline.compare.partners import Flipped, find_partners
from pipeline.compare.planning import ONE_BY_ONE, planned
from pipeline.compare.sides import Side, get_sides
from pipeline.errors import UsageError
from pipeline.queries.jobs import check_limit
from pipeline.queries.labels import get_label_ids

if TYPE_CHECKING:
    import sqlalchemy as sa

#: Images that a page looks at, at most: it may end early, and the next one goes on from there.
LOOKED_AT = 20_000
#: Images that are looked at at once: few at first, since flips are mostly near.
_FIRST_PIECE, _LAST_PIECE = 500, 10_000


@dataclass(frozen=True, slots=True)
class FlipSide:
    """What one job says of an image: ``job_id`` is its public id, ``index`` the image's place."""

    job_id: str
    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class FlipRow:
    """A flipped image: how the first job calls it, and what both jobs say of it."""

    uri: str
    custom_id: str | None
    a: FlipSide
    b: FlipSide

    def as_dict(self) -> dict[str, Any]:
        """Return ``uri custom_id a b``; a side is ``job_id index label score``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FlipPage:
    """Some flipped images in order, and the cursor for the next page (None: that was the last)."""

    rows: list[FlipRow]
    next_cursor: str | None


def list_flips(
    conn: sa.Connection,
    a: str,
    b: str,
    by: JoinKey = JoinKey.URI,
    from_label: str | None = None,
    to_label: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> FlipPage:
    """Return a page of the images that have one label in ``a`` and another in ``b``.

    They come in the order of the score in ``a`` from the least certain on (with ``to_label``
    alone: of the score in ``b``), by an index that holds the images in that order, of all labels
    or of one. A page looks at ``LOOKED_AT`` images at most, so it may hold fewer rows than
    ``limit``, or none, and still have a next one.

    Raises JobError and UsageError as ``compare`` does, but for jobs that share no image: these
    have no flips. UsageError also for a label that its job's model does not know, for two equal
    labels, and for a cursor of other jobs.
    """
    check_limit(limit)
    one, two = get_sides(conn, a, b)
    backwards = to_label is not None and from_label is None
    walk = _make_walk(conn, (one, two), by, from_label, to_label)
    after = START if cursor is None else read_cursor(cursor, walk.walked, walk.other)
    with planned(conn, ONE_BY_ONE):
        found, end = _walk(conn, walk, after, limit)
    rows = [_as_row(both, one, two, backwards) for both in found]
    more = None if end is None else write_cursor(walk.walked, walk.other, end)
    return FlipPage(rows, more)


def _make_walk(
    conn: sa.Connection, sides: tuple[Side, Side], by: JoinKey, start: str | None, end: str | None
) -> Walk:
    if start is not None and start == end:
        raise UsageError(f"an image does not flip from {start!r} to itself; name two labels")
    ids = [
        None if label is None else get_label_ids(conn, label, side.model_id)[0]
        for label, side in zip((start, end), sides, strict=True)
    ]
    one, two = sides
    if start is None and end is not None:
        # Whatever becomes of the first job's images: those with the label are found in the second.
        return Walk(two.id, one.id, by, ids[1])
    return Walk(one.id, two.id, by, ids[0], end)


def _walk(
    conn: sa.Connection, walk: Walk, after: Place, limit: int
) -> tuple[list[Flipped], Place | None]:
    """Return the next flipped images, and where the next page begins (None: there is none)."""
    found: list[Flipped] = []
    looked, piece = 0, _FIRST_PIECE
    while looked < LOOKED_AT:
        found += _read_piece(conn, walk, after, piece)
        if len(found) > limit:
            last, _ = found[limit - 1]
            return found[:limit], Place(last.score, last.index)
        end = find_end(conn, walk, after, piece)
        if end is None:
            return found, None
        after, looked, piece = end, looked + piece, min(4 * piece, _LAST_PIECE)
    return found, after


def _read_piece(conn: sa.Connection, walk: Walk, after: Place, piece: int) -> list[Flipped]:
    seen = read_candidates(conn, walk, after, piece)
    flipped = [(one.mine, one.other) for one in seen if one.other is not None]
    flipped += find_partners(conn, walk, [one for one in seen if one.other is None])
    return sorted(flipped, key=lambda both: (both[0].score, both[0].index))


def _as_row(both: Flipped, a: Side, b: Side, backwards: bool) -> FlipRow:
    first, second = reversed(both) if backwards else both
    return FlipRow(first.uri, first.custom_id, _as_side(first, a), _as_side(second, b))


def _as_side(found: Found, side: Side) -> FlipSide:
    return FlipSide(side.job_id, found.index, found.label, found.score)
