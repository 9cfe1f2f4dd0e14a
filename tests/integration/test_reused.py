"""How many images took a known answer is counted with their chunks, and stands in the books."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from job_books import recount

from pipeline import ledger, tables
from pipeline.cli.jobs.view import outline
from pipeline.clock import from_now
from pipeline.job_json import as_dict
from pipeline.queries.jobs import get_job_by_number
from pipeline.queries.rules import find_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Job, Outcome


def reused(books: Books, *indexes: int) -> list[Outcome]:
    return [replace(outcome, reused=True) for outcome in books.classified(indexes)]


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of six images in chunks of four."""
    return submit_small(database, images=6, chunk_size=4)


def read(database: Database, small: SmallJob) -> Job:
    with database.reading() as connection:
        return get_job_by_number(connection, small.id)


def finish_first(database: Database, books: Books, small: SmallJob) -> None:
    """Finish the first chunk: two reused, one classified, one failed."""
    outcomes = [*reused(books, 0, 2), *books.classified([1]), *books.failed([3])]
    assert ledger.finish(database, books.take(small.id), small.model, outcomes, books.made)


def finish_rest(database: Database, books: Books, small: SmallJob) -> None:
    """Finish the second chunk, one of its two images reused, and the job."""
    outcomes = [*books.classified([4]), *reused(books, 5)]
    assert ledger.finish(database, books.take(small.id), small.model, outcomes, books.made)
    assert ledger.complete(database, small.id)


def test_the_count_grows_with_each_chunk_and_is_kept_in_the_books(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert read(database, small).reused == 0
    finish_first(database, books, small)
    assert read(database, small).reused == 2
    assert books.look(tables.jobs)["reused"] is None
    finish_rest(database, books, small)
    assert books.look(tables.jobs)["reused"] == 3
    assert read(database, small).reused == 3
    recount(database, small.id)


def test_a_chunk_in_several_rounds_adds_up(
    database: Database, books: Books, small: SmallJob
) -> None:
    first = books.take(small.id)
    assert ledger.finish(database, first, small.model, reused(books, 0), books.made, 1)
    books.change(tables.chunks, not_before=None)
    rest = [*reused(books, 1), *books.classified([2, 3])]
    assert ledger.finish(database, books.take(small.id), small.model, rest, books.made)
    assert books.look(tables.chunks, 0)["reused"] == 2


def test_a_retry_opens_failures_and_keeps_what_was_reused(
    database: Database, books: Books, small: SmallJob
) -> None:
    finish_first(database, books, small)
    finish_rest(database, books, small)
    assert ledger.retry(database, small.id) == 1
    assert books.look(tables.jobs)["reused"] is None
    assert read(database, small).reused == 3
    claim = books.take(small.id)
    assert ledger.finish(database, claim, small.model, reused(books, 3), books.made)
    assert ledger.complete(database, small.id)
    assert (read(database, small).reused, read(database, small).counts.succeeded) == (4, 6)


def test_cancel_and_resume_keep_the_count(
    database: Database, books: Books, small: SmallJob
) -> None:
    finish_first(database, books, small)
    ledger.cancel(database, small.id)
    assert (read(database, small).reused, books.look(tables.jobs)["reused"]) == (2, 2)
    ledger.resume(database, small.id)
    assert (read(database, small).reused, books.look(tables.jobs)["reused"]) == (2, None)
    finish_rest(database, books, small)
    assert read(database, small).reused == 3


def test_a_chunk_that_is_split_hands_its_count_to_its_children(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, dispatch="broker")
    outcomes = [*reused(books, 0, 2), *books.failed([3])]
    claim = books.take(small.id)
    assert ledger.finish(database, claim, small.model, outcomes, books.made, retry_in_s=1)
    books.change(tables.chunks, not_before=None, lost=1)
    books.take(small.id)
    books.change(tables.chunks, lease_until=from_now(-1))
    assert ledger.expire_leases(database).split == [small.id]
    counted = sa.select(sa.func.count()).where(tables.chunks.c.reused == 1)
    with database.reading() as connection:
        assert connection.scalar(counted) == 2
    assert read(database, small).reused == 2
    books.change(tables.chunks, lease_until=None)
    recount(database, small.id)


def test_people_see_what_was_reused_and_left_out(
    database: Database, books: Books, small: SmallJob
) -> None:
    plain = outline(read(database, small), {}, {})
    assert {name for name, _ in plain} == {"status", "images"}
    finish_first(database, books, small)
    books.change(tables.jobs, skipped=1234)
    job = read(database, small)
    shown = dict(outline(job, {}, {}))
    assert shown["reused"] == "2 of these took a known answer"
    assert shown["skipped"] == "1,234 more that are known"
    told = as_dict(job, {}, {})
    assert (told["reused"], told["skipped"]) == (2, 1234)
    assert set(told["counts"]) == {"total", "succeeded", "failed", "pending", "cancelled"}  # type: ignore[call-overload]


def test_a_job_says_to_its_workers_whether_answers_are_reused(
    database: Database, books: Books, small: SmallJob
) -> None:
    with database.reading() as connection:
        assert not find_rules(connection, small.id).reuse  # type: ignore[union-attr]
    books.change(tables.jobs, options={"top_k": 3, "reuse": True})
    with database.reading() as connection:
        assert find_rules(connection, small.id).reuse  # type: ignore[union-attr]
