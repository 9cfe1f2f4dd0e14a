"""The start of a uri: what an index can hold of it, in an order that is the same everywhere."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: Characters of a uri that are indexed: an index row has room for no signed URL.
LENGTH = 128
_LAST_CHARACTER = "\U0010ffff"


class uri_start(FunctionElement[str]):  # noqa: N801 (reads as the SQL function it is)
    """The first characters of a uri, compared byte by byte whatever the database's language is."""

    type = sa.Text()
    inherit_cache = True


def begins_with(uri: sa.ColumnElement[str], prefix: str, floor: str = "") -> sa.ColumnElement[bool]:
    """Return the condition that a uri begins with ``prefix``, as the index on it can answer.

    What comes before ``floor`` is refused by another condition, and not looked at here: the
    index begins at one of the two.
    """
    first = uri_start(uri)
    if len(prefix) > LENGTH:
        return sa.and_(first == prefix[:LENGTH], sa.func.substr(uri, 1, len(prefix)) == prefix)
    # Not LIKE: SQLite's knows no case, and a uri is full of % and _.
    last = prefix + _LAST_CHARACTER * (LENGTH - len(prefix))
    return first <= last if floor >= prefix else first.between(prefix, last)


@compiles(uri_start)
def _sqlite(element: uri_start, compiler: Any, **options: Any) -> str:
    # No bound value for the length: an index serves the very expression that it is made of.
    return f"substr({compiler.process(element.clauses, **options)}, 1, {LENGTH})"


@compiles(uri_start, "postgresql")
def _postgresql(element: uri_start, compiler: Any, **options: Any) -> str:
    return f'({_sqlite(element, compiler, **options)} COLLATE "C")'
