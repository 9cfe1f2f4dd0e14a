"""Comparisons of jobs that have ended, kept: a page of flips counts nothing anew."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.compare.comparison import Comparison, compare
from pipeline.compare.keys import JoinKey
from pipeline.compare.sides import Side, get_sides

if TYPE_CHECKING:
    import sqlalchemy as sa

    _Key = tuple[Side, Side, JoinKey]

#: Comparisons that are kept; each has a row for each two labels that flipped.
_KEPT = 16


class Comparisons:
    """The last comparisons; of jobs that go on nothing is kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, Comparison] = OrderedDict()
        self._door = Lock()

    def get(self, conn: sa.Connection, a: str, b: str, by: JoinKey) -> Comparison:
        """Return what ``compare`` says of two jobs; raises as it does."""
        one, two = get_sides(conn, a, b)
        # A job that goes on and ends again has another moment of its end.
        key = (one, two, by)
        with self._door:
            known = self._kept.get(key)
        if known is None:
            known = compare(conn, a, b, by)
            if one.has_ended and two.has_ended and (known.a, known.b) == (one, two):
                self._keep(key, known)
        return known

    def _keep(self, key: _Key, found: Comparison) -> None:
        with self._door:
            self._kept[key] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
