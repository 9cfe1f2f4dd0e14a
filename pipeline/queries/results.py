"""Finished images by filter: a page of them, their number, or all of them as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.queries.cursors import (
    check_job,
    read_cursor,
    read_rank_cursor,
    write_cursor,
    write_rank_cursor,
)
from pipeline.queries.details import ResultRow, read_rows
from pipeline.queries.jobs import check_limit, get_job_head
from pipeline.queries.keys import START
from pipeline.queries.meaning import resolve
from pipeline.queries.orders import Order, check_order
from pipeline.queries.rankings import rank
from pipeline.tables import jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.database.database import Database
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.keys import Key, KeyQuery
    from pipeline.queries.rankings import Ranking
    from pipeline.records import ImageResult

#: Images read at once by a stream: what it holds in memory.
PIECE = 5_000
#: Keys read at once by a stream. No index holds the images of a range of scores in their order, so
#: each read of keys may look at every match: few large reads, not many small ones.
KEYS = 50_000
#: Predictions of an image where its job does not say.
_TOP_K = 5


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order, and the cursor for the next page (None: that was the last one)."""

    rows: list[ResultRow]
    next_cursor: str | None


def list_results(
    conn: sa.Connection,
    wanted: PredictionFilter,
    limit: int = 50,
    cursor: str | None = None,
    order: Order = Order.INDEX,
) -> Page:
    """Return a page of finished images in this order, all ranks of each.

    The order of the index is that of (job, index); images whose uris begin with something come in
    the order of their uris (of the first 128 characters). An order by score has what is classified
    alone; it needs a job, and goes with a label and a range of scores.

    Raises UsageError for a filter that cannot be meant, a label that no model knows, or a cursor
    that is not one of this order; JobError for a job that does not exist.
    """
    check_limit(limit)
    check_order(wanted, order)
    query = resolve(conn, wanted)
    if order is not Order.INDEX:
        return _list_ranked(conn, rank(query, wanted, order), limit, cursor)
    after = START if cursor is None else _read_start(cursor, query)
    keys = query.read(conn, after, limit + 1)
    more = write_cursor(keys[limit - 1]) if len(keys) > limit else None
    return Page(read_rows(conn, keys[:limit]), more)


def count_results(conn: sa.Connection, wanted: PredictionFilter) -> int:
    """Return the number of finished images that the filter means; raises as ``list_results``."""
    return conn.scalar(resolve(conn, wanted).count()) or 0


def iterate_results(database: Database, wanted: PredictionFilter) -> Iterator[ImageResult]:
    """Return every finished image that the filter means, in order, at constant memory.

    The filter is checked at once (raises as ``list_results``); the rows are read in short
    transactions, so that a slow reader holds nothing, and a database that restarts ends nothing.
    Images that finish meanwhile may be among them; none comes twice.
    """
    query = database.attempt(partial(resolve, wanted=wanted), write=False)
    return _stream(database, query)


def find_top_k(conn: sa.Connection, wanted: PredictionFilter) -> int:
    """Return the largest number of predictions that an image of the filter's jobs can have."""
    if wanted.job is not None:
        options = [get_job_head(conn, wanted.job).options]
    else:
        options = list(conn.scalars(sa.select(jobs.c.options)))
    found = [top_k for one in options if isinstance(top_k := one.get("top_k"), int)]
    return max(found, default=_TOP_K)


def _stream(database: Database, query: KeyQuery) -> Iterator[ImageResult]:
    for keys in _page_keys(database, query):
        for start in range(0, len(keys), PIECE):
            piece = keys[start : start + PIECE]
            rows = database.attempt(partial(read_rows, keys=piece), write=False)
            yield from (row.result for row in rows)


def _page_keys(database: Database, query: KeyQuery) -> Iterator[list[Key]]:
    after, full = START, True
    while full:
        read = partial(query.read, after=after, limit=KEYS)
        keys = database.attempt(read, write=False)
        yield keys
        full = len(keys) == KEYS
        after = keys[-1] if keys else after


def _read_start(cursor: str, query: KeyQuery) -> Key:
    after = read_cursor(cursor)
    check_job(cursor, after[0], query.job_id)
    return after


def _list_ranked(conn: sa.Connection, query: Ranking, limit: int, cursor: str | None) -> Page:
    job_id, order = query.job_id, query.order
    after = None if cursor is None else read_rank_cursor(cursor, order, job_id)
    places = query.read(conn, after, limit + 1)
    more = write_rank_cursor(order, job_id, places[limit - 1]) if len(places) > limit else None
    return Page(read_rows(conn, [(job_id, index) for _, index in places[:limit]]), more)
