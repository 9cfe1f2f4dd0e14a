"""The failed images of a job run again, those and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from job_books import carry, carry_all, recount

from pipeline import ledger, tables
from pipeline.records import Counts, FailureCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


def look_at_job(books: Books) -> dict[str, Any]:
    return books.look(tables.jobs)


@pytest.fixture
def failed(database: Database, small: SmallJob) -> SmallJob:
    """The job, completed with failures in its first two chunks."""
    carry(database, small, {0: FailureCode.TIMEOUT, 3: FailureCode.TRUNCATED})
    carry(database, small, {4: FailureCode.TIMEOUT, 5: FailureCode.TIMEOUT})
    carry(database, small)
    assert ledger.complete(database, small.id)
    return small


def test_a_retry_runs_only_the_failures_of_its_codes(
    database: Database, books: Books, failed: SmallJob
) -> None:
    books.change(tables.chunks, lost=1, solo=True, solo_lost=1, retries=3)
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    assert ledger.retry(database, failed.id, [FailureCode.TIMEOUT]) == 3
    assert recount(database, failed.id) == Counts(10, 6, 1, 0)
    job = look_at_job(books)
    assert (job["status"], job["finished_at"], job["histogram"]) == ("running", None, None)
    assert books.rows(tables.chunks, "state", "token", "failed") == [
        ("queued", tokens[0] + 1, 1),
        ("queued", tokens[1] + 1, 0),
        ("done", tokens[2], 0),
    ]
    chunk = books.look(tables.chunks, 0)
    assert not any(chunk[name] for name in ("lost", "solo", "solo_lost", "retries", "finished_at"))
    assert chunk["batch_sizes"] == [3, 1]
    assert (3,) in books.rows(tables.outcomes, "index")
    carry_all(database, failed)
    assert recount(database, failed.id) == Counts(10, 9, 1, 0)


def test_a_retry_without_codes_runs_every_failure(database: Database, failed: SmallJob) -> None:
    assert ledger.retry(database, failed.id) == 4
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)
    carry_all(database, failed)
    assert recount(database, failed.id) == Counts(10, 10, 0, 0)


@pytest.mark.parametrize("codes", [[FailureCode.HTTP_5XX], []])
def test_a_retry_of_nothing_changes_nothing(
    database: Database, books: Books, failed: SmallJob, codes: list[FailureCode]
) -> None:
    everything = (tables.jobs, tables.chunks, tables.outcomes)
    before = [books.rows(table) for table in everything]
    assert ledger.retry(database, failed.id, codes) == 0
    assert [books.rows(table) for table in everything] == before


def test_a_chunk_in_work_when_it_is_retried_saves_nothing(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    part = books.failed([0])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    late = books.take(small.id)
    assert (late.number, books.look(tables.chunks, 0)["state"]) == (0, "running")
    assert ledger.retry(database, small.id, [FailureCode.NOT_FOUND]) == 1
    assert recount(database, small.id) == Counts(10, 0, 0, 0)
    assert not carry(database, small, claim=late)
    carry_all(database, small)
    assert recount(database, small.id) == Counts(10, 10, 0, 0)


def test_the_failures_of_a_chunk_that_was_split_are_retried_where_they_are(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, dispatch="broker")
    claim = books.take(small.id)
    part = books.failed([1, 2])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    for _ in range(2):
        books.take(small.id, lease_s=-1)
        ledger.expire_leases(database)
    assert [number for (number,) in books.rows(tables.chunks, "number")] == [1, 2, 3, 4, 5, 6]
    carry(database, small, {5: FailureCode.NOT_FOUND})
    assert recount(database, small.id) == Counts(10, 3, 3, 0)
    assert ledger.retry(database, small.id, [FailureCode.NOT_FOUND]) == 3
    assert recount(database, small.id) == Counts(10, 3, 0, 0)
    states = {
        n: (state, t) for n, state, t in books.rows(tables.chunks, "number", "state", "token")
    }
    assert states[4] == states[5] == ("queued", 1)
    assert states[3] == ("queued", 0)
    carry_all(database, small)


def test_the_retry_of_one_job_leaves_the_others(
    database: Database,
    books: Books,
    failed: SmallJob,
    submit_small: Callable[..., SmallJob],
) -> None:
    other = submit_small(database, images=4)
    bad = books.failed(range(4))
    ledger.finish(database, books.take(other.id), other.model, bad, books.made)
    assert ledger.retry(database, failed.id) == 4
    assert recount(database, other.id) == Counts(4, 0, 4, 0)
    assert ledger.retry(database, other.id) == 4
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)


def test_a_retry_takes_as_many_statements_however_many_images_failed(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    said: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    lengths = []
    for images in (4, 60):
        small = submit_small(database, images=images, chunk_size=2)
        while claim := ledger.claim_next(database, small.id, "test", 60):
            bad = books.failed(range(claim.first, claim.last + 1))
            ledger.finish(database, claim, small.model, bad, books.made)
        said.clear()
        assert ledger.retry(database, small.id) == images
        lengths.append(len(said))
        recount(database, small.id)
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("landed", [True, False])
def test_a_retry_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, failed: SmallJob, faults: Faults, landed: bool
) -> None:
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    faults.at_next_commit(database, landed=landed)
    assert ledger.retry(database, failed.id) == 4
    again = [token for (token,) in books.rows(tables.chunks, "token")]
    assert again == [tokens[0] + 1, tokens[1] + 1, tokens[2]]
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)
