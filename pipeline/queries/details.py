"""What is known of finished images, read for many keys at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.records import Failure, FailureCode, ImageResult, Prediction
from pipeline.tables import images, jobs, labels, outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.queries.keys import Key

#: The function that turns a JSON array into rows; each planner starts its joins from it.
_UNROLL = {"sqlite": sa.func.json_each, "postgresql": sa.func.json_array_elements}


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A finished image in its job: ``job`` is the job's name or id, width and height are pixels."""

    job: str
    index: int
    result: ImageResult
    width: int | None
    height: int | None

    def as_dict(self) -> dict[str, object]:
        """Return ``job index uri custom_id predictions error width height``."""
        place = {"job": self.job, "index": self.index}
        return {**place, **self.result.as_dict(), "width": self.width, "height": self.height}


def read_rows(conn: sa.Connection, keys: Sequence[Key]) -> list[ResultRow]:
    """Return the rows of the keys in their order, in two queries; a key that is gone is left out.

    An image is gone when a retry or a deletion came between the reading of its key and this.
    """
    if not keys:
        return []
    answers = _read_predictions(conn, keys)
    facts = _read_facts(conn, keys)
    return [_as_row(key, facts[key], answers.get(key, [])) for key in keys if key in facts]


def _unroll(conn: sa.Connection, keys: Sequence[Key]) -> sa.Subquery:
    # One bound value whatever the number of keys: no limit on parameters, one cached statement.
    rows = _UNROLL[conn.dialect.name](sa.literal(keys, sa.JSON())).table_valued(
        sa.column("value", sa.JSON())
    )
    job_id, index = (rows.c.value[place].as_integer() for place in (0, 1))
    return sa.select(job_id.label("job_id"), index.label("index")).subquery()


def _read_facts(conn: sa.Connection, keys: Sequence[Key]) -> dict[Key, Sequence[Any]]:
    key = _unroll(conn, keys)
    columns = (
        *(images.c.uri, images.c.custom_id, outcomes.c.code, outcomes.c.message),
        *(sa.func.coalesce(jobs.c.name, jobs.c.public_id), outcomes.c.width, outcomes.c.height),
    )
    query = (
        sa.select(*key.c, *columns)
        .join_from(key, outcomes, _match(outcomes, key))
        .join(images, _match(images, key))
        .join(jobs, jobs.c.id == outcomes.c.job_id)
    )
    return {(job_id, index): facts for job_id, index, *facts in conn.execute(query)}


def _read_predictions(conn: sa.Connection, keys: Sequence[Key]) -> dict[Key, list[Prediction]]:
    key = _unroll(conn, keys)
    columns = (predictions.c.rank, labels.c.label, labels.c.index, predictions.c.score)
    query = (
        sa.select(*key.c, *columns)
        .join_from(key, predictions, _match(predictions, key))
        .join(labels, labels.c.id == predictions.c.label_id)
        .order_by(predictions.c.rank)
    )
    found: defaultdict[Key, list[Prediction]] = defaultdict(list)
    for job_id, index, *answer in conn.execute(query):
        found[job_id, index].append(Prediction(*answer))
    return found


def _match(table: sa.Table, key: sa.Subquery) -> sa.ColumnElement[bool]:
    return (table.c.job_id == key.c.job_id) & (table.c.index == key.c.index)


def _as_row(key: Key, facts: Sequence[Any], answers: Sequence[Prediction]) -> ResultRow:
    uri, custom_id, code, message, job, width, height = facts
    error = None if code is None else Failure(FailureCode(code), message or "")
    result = ImageResult(uri, custom_id, None if error else tuple(answers), error)
    return ResultRow(job, key[1], result, width, height)
