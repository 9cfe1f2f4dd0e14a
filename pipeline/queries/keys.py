"""The keys (job, index) of the finished images that a filter means, by the indexes, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.tables import images, outcomes
from pipeline.uri_start import LENGTH, begins_with, uri_start

if TYPE_CHECKING:
    Condition = sa.ColumnElement[bool]

#: An image's key: its job's number and its index in the job.
Key = tuple[int, int]
#: Goes before every key.
START: Key = (0, -1)


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """A filter in the terms of the tables; no ``label_ids``: whatever the label is."""

    job_id: int | None
    label_ids: tuple[int, ...]
    #: What the uri begins with.
    prefix: str | None
    on_images: tuple[Condition, ...]
    on_outcomes: tuple[Condition, ...]

    def read(self, conn: sa.Connection, after: Key, limit: int) -> list[Key]:
        """Return the first ``limit`` keys behind ``after``, in order.

        The order is that of (job, index), or of the uris where it is asked how they begin.
        """
        if self.prefix is None:
            query = self._select(after, limit)
        elif (start := _read_start(conn, after)) is not None:
            query = self._select_by_uri(self.prefix, start, after[1], limit)
        else:
            return []
        return [(job_id, index) for job_id, index in conn.execute(query)]

    def count(self) -> sa.Select[Any]:
        """Return the query of the number of keys."""
        begins = [] if self.prefix is None else [begins_with(images.c.uri, self.prefix)]
        query = sa.select(sa.func.count()).select_from(self._table)
        return query.where(*begins, *self._conditions())

    @property
    def _table(self) -> sa.Table:
        """The table that narrows more: an image's uri or own id is nearly unique."""
        return images if self.on_images or self.prefix is not None else outcomes

    def _select(self, after: Key, limit: int) -> sa.Select[Any]:
        if self.on_images or len(self.label_ids) < 2:
            return self._select_from(self._conditions(), after, limit)
        # One index holds the images of each label in order; of all of them together, none.
        each = [self._select_from(self._conditions(one), after, limit) for one in self.label_ids]
        found = sa.union_all(*(sa.select(one.subquery()) for one in each)).subquery()
        return sa.select(found).order_by(*found.c).limit(limit)

    def _select_from(self, conditions: list[Condition], after: Key, limit: int) -> sa.Select[Any]:
        key = (self._table.c.job_id, self._table.c.index)
        later = sa.tuple_(*key) > sa.tuple_(*after)
        if self.job_id is not None:
            later = key[1] > after[1]
        return sa.select(*key).where(*conditions, later).order_by(*key).limit(limit)

    def _select_by_uri(self, prefix: str, start: str, index: int, limit: int) -> sa.Select[Any]:
        order = (uri_start(images.c.uri), images.c.index)
        begins = begins_with(images.c.uri, prefix, floor=start)
        query = sa.select(images.c.job_id, images.c.index).where(*self._conditions(), begins)
        if start >= prefix[:LENGTH]:
            query = query.where(sa.tuple_(*order) > sa.tuple_(start, index))
        return query.order_by(*order).limit(limit)

    def _conditions(self, *label_ids: int) -> list[Condition]:
        table = self._table
        mine = [] if self.job_id is None else [table.c.job_id == self.job_id]
        if table is outcomes:
            return [*mine, *self._on_outcomes(label_ids or self.label_ids)]
        return [*mine, *self.on_images, self._is_finished()]

    def _on_outcomes(self, label_ids: tuple[int, ...]) -> list[Condition]:
        label = outcomes.c.label_id
        known = [label == label_ids[0]] if len(label_ids) == 1 else [label.in_(label_ids)]
        return [*(known if label_ids else ()), *self.on_outcomes]

    def _is_finished(self) -> Condition:
        same = (outcomes.c.job_id == images.c.job_id, outcomes.c.index == images.c.index)
        found = sa.select(outcomes.c.index).where(*same, *self._on_outcomes(self.label_ids))
        # Looked up image by image, in their order: as a join PostgreSQL may read a whole job.
        return found.correlate(images).offset(0).exists()


def _read_start(conn: sa.Connection, after: Key) -> str | None:
    """Return the beginning of an image's uri; "" is before the first; None: no such image."""
    if after == START:
        return ""
    same = (images.c.job_id == after[0], images.c.index == after[1])
    return conn.scalar(sa.select(uri_start(images.c.uri)).where(*same))
