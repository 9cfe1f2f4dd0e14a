"""The bins of a histogram of scores: 20 steps of 0.05, the same for Python and each database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: Bin n holds the scores from n / 20 on, below (n + 1) / 20; the last one holds 1.0 too.
BINS = 20


class score_bin(FunctionElement[int]):  # noqa: N801 (reads as the SQL function it is)
    """The bin of a score in [0, 1], as ``find_bin`` has it; what is no score is in no bin (NULL).

    One multiplication of two doubles gives the same bits everywhere, and each of the edges as it
    is written (0.15) times 20 is whole: a score on an edge is in the bin that begins there.
    """

    type = sa.Integer()
    inherit_cache = True


def find_bin(score: float) -> int:
    """Return the bin of a score in [0, 1], from 0 to ``BINS - 1``."""
    return min(int(score * BINS), BINS - 1)


@compiles(score_bin)
def _sqlite(element: score_bin, compiler: Any, **options: Any) -> str:
    return _write(element, compiler, "min(CAST({} AS INTEGER), {})", options)


@compiles(score_bin, "postgresql")
def _postgresql(element: score_bin, compiler: Any, **options: Any) -> str:
    # A cast would round.
    return _write(element, compiler, "least(floor({})::integer, {})", options)


def _write(element: score_bin, compiler: Any, form: str, options: dict[str, Any]) -> str:
    score = compiler.process(element.clauses, **options)
    chosen = form.format(f"{score} * {BINS}.0", BINS - 1)
    return f"CASE WHEN {score} BETWEEN 0 AND 1 THEN {chosen} END"
