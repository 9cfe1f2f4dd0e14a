"""A job is completed once, when nothing of it is open, with books that balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import ledger, tables
from pipeline.records import (
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


def test_a_job_is_completed_once_with_its_books(
    database: Database, books: Books, small: SmallJob
) -> None:
    finished: list[Outcome] = []
    for n in range(3):
        claim = books.take(small.id)
        assert not ledger.complete(database, small.id)
        indexes = range(claim.first, claim.last + 1)
        outcomes = books.failed(indexes) if n == 1 else books.classified(indexes, label=n)
        assert ledger.finish(database, claim, small.model, outcomes, books.made)
        finished += outcomes
    assert ledger.complete(database, small.id)
    assert not ledger.complete(database, small.id)
    job = books.look(tables.jobs)
    assert (job["status"], job["total"]) == ("completed", 10)
    assert (job["succeeded"], job["failed"], job["cancelled"]) == (6, 4, 0)
    assert job["histogram"] == {"label 0": 4, "label 2": 2}
    assert list(job["histogram"]) == ["label 0", "label 2"]
    assert job["finished_at"] >= job["started_at"]


def test_open_images_of_cancelled_chunks_are_booked_as_cancelled(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    ledger.finish(database, claim, small.model, books.classified([0]), books.made, retry_in_s=5)
    books.change(tables.chunks, state="cancelled")
    assert ledger.complete(database, small.id)
    job = books.look(tables.jobs)
    assert (job["succeeded"], job["failed"], job["cancelled"]) == (1, 0, 9)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_only_a_job_that_is_alive_is_completed(
    database: Database, books: Books, small: SmallJob, status: str
) -> None:
    books.change(tables.chunks, state="done", succeeded=4)
    books.change(tables.jobs, status=status)
    assert not ledger.complete(database, small.id)
    assert books.look(tables.jobs)["status"] == status


def test_books_that_do_not_balance_are_a_bug(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.chunks, state="done", succeeded=3)
    with pytest.raises(AssertionError, match="do not balance"):
        ledger.complete(database, small.id)
    assert books.look(tables.jobs)["status"] == "pending"


def test_a_job_that_does_not_exist_is_not_completed(database: Database, books: Books) -> None:
    assert not ledger.complete(database, 7)
    assert ledger.claim_next(database, 7, "test", 60) is None
    assert ledger.free_leases(database, 7) == 0
