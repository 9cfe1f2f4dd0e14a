"""A job that goes wrong is stopped, with the reason, and can go on without the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_books import recount

from pipeline import ledger, tables
from pipeline.records import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of 200 images in chunks of ten, of which 5 % may fail."""
    small = submit_small(database, images=200, chunk_size=10, name="risky job")
    books.change(tables.jobs, max_failure_rate=0.05)
    return small


def carry(database: Database, books: Books, small: SmallJob, *failing: int) -> None:
    """Work off a chunk for each number of images that fail in it."""
    for failures in failing:
        claim = books.take(small.id)
        indexes = range(claim.first, claim.last + 1)
        bad, good = books.failed(indexes[:failures]), books.classified(indexes[failures:])
        assert ledger.finish(database, claim, small.model, [*bad, *good], books.made)


def test_a_job_above_its_rate_is_stopped_with_its_reason(
    database: Database, books: Books, small: SmallJob
) -> None:
    carry(database, books, small, *[1, 0] * 4, 1, 0, 2)
    late = books.take(small.id)
    assert ledger.enforce_budget(database, small.id)
    job = books.look(tables.jobs)
    assert job["status"] == "failed"
    assert job["reason"] == (
        "7 of 110 images failed, more than the 5 % of --max-failure-rate; "
        "`imagemill jobs resume 'risky job'` goes on without the limit"
    )
    assert (job["succeeded"], job["failed"], job["cancelled"]) == (103, 7, 90)
    assert recount(database, small.id) == Counts(200, 103, 7, 90)
    assert not ledger.give_back(database, late)
    assert ledger.claim_next(database, small.id, "test", 60) is None
    assert not ledger.enforce_budget(database, small.id)


def test_a_job_exactly_at_its_rate_goes_on(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, max_failure_rate=0.29)
    carry(database, books, small, *[3] * 9, 2)
    # 29 of 100, and 0.29 * 100 is less than 29 in floats.
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, 4)
    assert ledger.enforce_budget(database, small.id)


def test_few_images_judge_no_job(database: Database, books: Books, small: SmallJob) -> None:
    carry(database, books, small, *[10] * 9)
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, 10)
    assert ledger.enforce_budget(database, small.id)


def test_a_small_job_is_judged_at_its_end(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=20, chunk_size=10)
    books.change(tables.jobs, max_failure_rate=0.05, notice="a folder is missing")
    carry(database, books, small, 10)
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, 0)
    assert ledger.complete(database, small.id)
    job = books.look(tables.jobs)
    assert (job["status"], job["cancelled"], job["notice"]) == ("failed", 0, None)
    assert job["reason"].startswith("10 of 20 images failed, more than the 5 %")
    assert f"resume {job['public_id']}`" in job["reason"]
    assert recount(database, small.id) == Counts(20, 10, 10, 0)


def test_a_small_job_whose_images_are_all_finished_may_be_stopped_too(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=10, chunk_size=10)
    books.change(tables.jobs, max_failure_rate=0.05)
    carry(database, books, small, 1)
    assert ledger.enforce_budget(database, small.id)
    assert books.look(tables.jobs)["status"] == "failed"
    assert recount(database, small.id) == Counts(10, 9, 1, 0)


def test_a_job_within_its_rate_is_completed(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=20, chunk_size=10)
    books.change(tables.jobs, max_failure_rate=0.05, notice="a folder is missing")
    carry(database, books, small, 1, 0)
    assert ledger.complete(database, small.id)
    job = books.look(tables.jobs)
    assert (job["status"], job["reason"], job["notice"]) == ("completed", None, None)


def test_a_job_without_a_rate_is_never_stopped(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, max_failure_rate=None)
    carry(database, books, small, *[10] * 19)
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, 10)
    assert ledger.complete(database, small.id)
    assert books.look(tables.jobs)["status"] == "completed"


def test_a_rate_of_zero_takes_no_failure(database: Database, books: Books, small: SmallJob) -> None:
    books.change(tables.jobs, max_failure_rate=0.0)
    carry(database, books, small, *[0] * 10)
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, 1)
    assert ledger.enforce_budget(database, small.id)
    assert "more than the 0 %" in books.look(tables.jobs)["reason"]


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_job_that_has_ended_is_not_stopped(
    database: Database, books: Books, small: SmallJob, status: str
) -> None:
    carry(database, books, small, *[10] * 10)
    books.change(tables.jobs, status=status)
    assert not ledger.enforce_budget(database, small.id)
    assert books.look(tables.jobs)["status"] == status


def test_a_stopped_job_goes_on_without_the_limit(
    database: Database, books: Books, small: SmallJob
) -> None:
    carry(database, books, small, *[10] * 10)
    assert ledger.enforce_budget(database, small.id)
    assert ledger.resume(database, small.id) == 100
    assert not ledger.enforce_budget(database, small.id)
    carry(database, books, small, *[10] * 10)
    assert ledger.complete(database, small.id)
    assert books.look(tables.jobs)["status"] == "completed"
    assert recount(database, small.id) == Counts(200, 0, 200, 0)


@pytest.mark.parametrize("landed", [True, False])
def test_a_stop_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    carry(database, books, small, *[10] * 10)
    faults.at_next_commit(database, landed=landed)
    assert ledger.enforce_budget(database, small.id) is not landed
    assert set(books.rows(tables.chunks, "state", "token")) == {("done", 2), ("cancelled", 1)}
    assert recount(database, small.id) == Counts(200, 0, 100, 100)
