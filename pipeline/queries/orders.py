"""The orders of finished images: as they stand in their job, or by the score of rank 1."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.queries.filters import PredictionFilter


class Order(StrEnum):
    """In which order images come; one order by score is the other one backwards."""

    INDEX = "index"
    #: By (score, index): of equal scores the lower index comes first.
    LEAST_CERTAIN = "least-certain"
    #: By (score, index), both from the top down.
    MOST_CERTAIN = "most-certain"


def check_order(wanted: PredictionFilter, order: Order) -> None:
    """Raise UsageError for an order by score of what no index holds in that order."""
    if order is Order.INDEX:
        return
    if wanted.failed or wanted.code is not None:
        raise UsageError(f"a failure has no score; leave out the order {order}, or the failures")
    if wanted.uri is not None or wanted.custom_id is not None:
        raise UsageError(
            f"the order {order} goes with a label and scores alone; leave out the uri and custom id"
        )
