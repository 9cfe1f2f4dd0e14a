"""The keys (job, index) of the finished images that a filter means, by the indexes, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from pipeline.queries.filters import check_filter
from pipeline.queries.jobs import get_job_head
from pipeline.queries.labels import get_label_ids
from pipeline.references import is_storable
from pipeline.storage.rows import uri_hash
from pipeline.tables import images, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.queries.filters import PredictionFilter

    Condition = sa.ColumnElement[bool]

#: An image's key: its job's number and its index in the job.
Key = tuple[int, int]
#: Goes before every key.
START: Key = (0, -1)


class _unwalked(FunctionElement[int]):  # noqa: N801 (reads as the SQL operator it is)
    """A column of the key by which SQLite may not walk the table.

    SQLite likes to walk a whole job in order rather than sort what an index finds: ten million
    rows for three failures. PostgreSQL has statistics, and decides for itself.
    """

    type = sa.Integer()
    inherit_cache = True


@compiles(_unwalked)
def _as_it_is(element: _unwalked, compiler: Any, **options: Any) -> str:
    column: str = compiler.process(element.clauses, **options)
    return column


@compiles(_unwalked, "sqlite")
def _with_plus(element: _unwalked, compiler: Any, **options: Any) -> str:
    return f"+{_as_it_is(element, compiler, **options)}"


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """A filter in the terms of the tables."""

    job_id: int | None
    on_images: tuple[Condition, ...]
    on_outcomes: tuple[Condition, ...]
    #: Whether a label or a failure is asked for: few images, which an index knows.
    is_narrow: bool

    def select(self, after: Key, limit: int) -> sa.Select[Any]:
        """Return the query of the first ``limit`` keys behind ``after``, in order."""
        key: list[sa.ColumnElement[int]] = [self._table.c.job_id, self._table.c.index]
        if self.is_narrow and self._table is outcomes:
            key = [_unwalked(column) for column in key]
        later = sa.tuple_(*key) > sa.tuple_(*after)
        if self.job_id is not None:
            later = key[1] > after[1]
        return self._start(*key).where(later).order_by(*key).limit(limit)

    def count(self) -> sa.Select[Any]:
        """Return the query of the number of keys."""
        return self._start(sa.func.count())

    @property
    def _table(self) -> sa.Table:
        return images if self.on_images else outcomes

    def _start(self, *columns: Any) -> sa.Select[Any]:
        """Begin at the table that narrows more: an image's uri or own id is nearly unique."""
        table = self._table
        query = sa.select(*columns).select_from(table)
        if self.job_id is not None:
            query = query.where(table.c.job_id == self.job_id)
        if table is outcomes:
            return query.where(*self.on_outcomes)
        return query.where(*self.on_images, self._is_finished())

    def _is_finished(self) -> Condition:
        same = (outcomes.c.job_id == images.c.job_id, outcomes.c.index == images.c.index)
        found = sa.select(outcomes.c.index).where(*same, *self.on_outcomes)
        return found.correlate(images).exists()


def resolve(conn: sa.Connection, wanted: PredictionFilter) -> KeyQuery:
    """Look up the filter's names; UsageError or JobError for what cannot be meant."""
    check_filter(wanted)
    job = None if wanted.job is None else get_job_head(conn, wanted.job)
    on_outcomes = list(_speak_of_outcomes(wanted))
    if wanted.label is not None:
        model_id = None if job is None else job.model_id
        on_outcomes.append(outcomes.c.label_id.in_(get_label_ids(conn, wanted.label, model_id)))
    return KeyQuery(
        job_id=None if job is None else job.id,
        on_images=tuple(_speak_of_images(wanted)),
        on_outcomes=tuple(on_outcomes),
        is_narrow=bool(wanted.label is not None or wanted.code or wanted.failed),
    )


def _speak_of_images(wanted: PredictionFilter) -> Iterator[Condition]:
    said = [text for text in (wanted.uri, wanted.custom_id) if text is not None]
    if not all(is_storable(text) for text in said):
        yield sa.false()
        return
    if wanted.custom_id is not None:
        yield images.c.custom_id == wanted.custom_id
    if wanted.uri is not None and wanted.uri.endswith("*"):
        start = wanted.uri[:-1]
        # Not LIKE: SQLite's knows no case, and a uri is full of % and _.
        yield sa.func.substr(images.c.uri, 1, len(start)) == start
    elif wanted.uri is not None:
        yield images.c.uri_hash == uri_hash(wanted.uri)
        yield images.c.uri == wanted.uri


def _speak_of_outcomes(wanted: PredictionFilter) -> Iterator[Condition]:
    if wanted.min_score is not None:
        yield outcomes.c.score >= wanted.min_score
    if wanted.max_score is not None:
        yield outcomes.c.score <= wanted.max_score
    if wanted.code is not None:
        yield outcomes.c.code == wanted.code
    elif wanted.failed is not None:
        yield outcomes.c.code.is_not(None) if wanted.failed else outcomes.c.code.is_(None)
