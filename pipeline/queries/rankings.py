"""A job's classified images by the score of rank 1, from an index that holds them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.errors import UsageError
from pipeline.queries.orders import Order
from pipeline.tables import outcomes

if TYPE_CHECKING:
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.keys import KeyQuery

    Condition = sa.ColumnElement[bool]

#: An image's place in an order by score: its score and its index in the job.
Rank = tuple[float, int]
_PLACE = (outcomes.c.score, outcomes.c.index)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The classified images of a job, or of a label in it, with scores in a range, by score."""

    job_id: int
    label_id: int | None
    lowest: float
    highest: float
    order: Order

    def read(self, conn: sa.Connection, after: Rank | None, limit: int) -> list[Rank]:
        """Return the first ``limit`` places behind ``after`` (None: from the start), in order."""
        order = [place.desc() if self._falls else place for place in _PLACE]
        query = sa.select(*_PLACE).where(*self._mine(), *self._range(after))
        return [
            (score, index) for score, index in conn.execute(query.order_by(*order).limit(limit))
        ]

    @property
    def _falls(self) -> bool:
        return self.order is Order.MOST_CERTAIN

    def _mine(self) -> list[Condition]:
        label = [] if self.label_id is None else [outcomes.c.label_id == self.label_id]
        return [outcomes.c.job_id == self.job_id, *label]

    def _range(self, after: Rank | None) -> list[Condition]:
        # One condition on each side: of two on one side an index may begin at the wrong one, and
        # read all pages before this one again. Neither a failure (NULL) nor NaN is in the range.
        rises, falls = outcomes.c.score >= self.lowest, outcomes.c.score <= self.highest
        place = sa.tuple_(*_PLACE)
        if after is not None and self._falls and after[0] <= self.highest:
            falls = place < sa.tuple_(*after)
        elif after is not None and not self._falls and after[0] >= self.lowest:
            rises = place > sa.tuple_(*after)
        return [rises, falls]


def rank(query: KeyQuery, wanted: PredictionFilter, order: Order) -> Ranking:
    """Return the ranking that a filter means; ``query`` is the same filter, looked up.

    Raises UsageError without a job.
    """
    if query.job_id is None:
        raise UsageError(f"the order {order} needs a job as well; say which one")
    return Ranking(
        job_id=query.job_id,
        # A label is unique in the job's model.
        label_id=query.label_ids[0] if query.label_ids else None,
        lowest=0.0 if wanted.min_score is None else wanted.min_score,
        highest=1.0 if wanted.max_score is None else wanted.max_score,
        order=order,
    )
