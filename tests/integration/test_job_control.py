"""A job is cancelled and resumed, and its books are right after every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
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


# ---------------------------------------------------------------- cancel
def test_a_cancelled_job_keeps_what_is_finished(
    database: Database, books: Books, small: SmallJob
) -> None:
    carry(database, small, {1: FailureCode.TRUNCATED})
    claim = books.take(small.id)
    books.change(tables.jobs, notice="a model is missing")
    waiting = books.look(tables.chunks, 2)
    assert ledger.cancel(database, small.id) == 6
    assert recount(database, small.id) == Counts(10, 3, 1, 6)
    job = look_at_job(books)
    assert (job["status"], job["reason"], job["notice"]) == ("cancelled", None, None)
    assert (job["succeeded"], job["failed"], job["cancelled"]) == (3, 1, 6)
    assert job["histogram"] == {"label 0": 3}
    running, queued = books.look(tables.chunks, 1), books.look(tables.chunks, 2)
    assert (running["state"], running["token"]) == ("cancelled", claim.token + 1)
    assert (queued["state"], queued["token"]) == ("cancelled", waiting["token"] + 1)
    assert books.look(tables.chunks, 0)["state"] == "done"


def test_what_is_in_work_when_its_job_is_cancelled_saves_nothing(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    ledger.cancel(database, small.id)
    assert not carry(database, small, claim=claim)
    assert not ledger.give_back(database, claim)
    assert ledger.renew(database, [claim], 60) == 0
    assert books.count(tables.outcomes) == 0
    assert recount(database, small.id) == Counts(10, 0, 0, 10)


def test_nothing_of_a_cancelled_job_is_claimed_or_completed(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert ledger.cancel(database, small.id) == 10
    assert ledger.claim_next(database, small.id, "test", 60) is None
    for _, number, token in books.rows(tables.chunks, "job_id", "number", "token"):
        assert ledger.claim(database, small.id, number, token, "test", 60)[0] is None
    assert not ledger.complete(database, small.id)
    assert look_at_job(books)["status"] == "cancelled"


def test_a_chunk_that_waits_for_its_retry_is_cancelled_in_part(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    done = books.classified([0, 1])
    ledger.finish(database, claim, small.model, done, books.made, retry_in_s=500)
    assert ledger.cancel(database, small.id) == 8
    assert books.look(tables.chunks, 0)["not_before"] is None
    assert recount(database, small.id) == Counts(10, 2, 0, 8)


@pytest.mark.parametrize("landed", [True, False])
def test_a_cancel_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    books.take(small.id)
    faults.at_next_commit(database, landed=landed)
    assert ledger.cancel(database, small.id) == 10
    assert books.rows(tables.chunks, "token") == [(2,), (1,), (1,)]
    assert recount(database, small.id) == Counts(10, 0, 0, 10)


# ---------------------------------------------------------------- resume
def test_a_resumed_job_goes_on_where_it_stopped(
    database: Database, books: Books, small: SmallJob
) -> None:
    carry(database, small, {1: FailureCode.TRUNCATED})
    late = books.take(small.id)
    ledger.cancel(database, small.id)
    books.change(tables.chunks, lost=3, solo=True, solo_lost=1, retries=2)
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    assert ledger.resume(database, small.id) == 6
    assert recount(database, small.id) == Counts(10, 3, 1, 0)
    job = look_at_job(books)
    assert (job["status"], job["reason"], job["finished_at"]) == ("running", None, None)
    assert all(job[name] is None for name in ("succeeded", "failed", "cancelled", "histogram"))
    for number in (1, 2):
        chunk = books.look(tables.chunks, number)
        assert (chunk["state"], chunk["token"]) == ("queued", tokens[number] + 1)
        counters = ("lost", "solo", "solo_lost", "retries")
        assert not any(chunk[name] for name in counters)
    assert not carry(database, small, claim=late)
    carry_all(database, small)
    assert recount(database, small.id) == Counts(10, 9, 1, 0)


def test_a_resumed_job_is_sent_again(database: Database, books: Books, small: SmallJob) -> None:
    books.change(tables.jobs, dispatch="broker")
    assert len(ledger.mark_ahead(database, small.id, 8)) == 3
    ledger.cancel(database, small.id)
    assert ledger.mark_ahead(database, small.id, 8) == []
    ledger.resume(database, small.id)
    messages = ledger.mark_ahead(database, small.id, 8)
    assert [message.token for message in messages] == [2, 2, 2]


def test_a_job_that_never_began_begins_when_it_is_resumed(
    database: Database, books: Books, small: SmallJob
) -> None:
    ledger.cancel(database, small.id)
    assert look_at_job(books)["started_at"] is None
    ledger.resume(database, small.id)
    assert look_at_job(books)["started_at"] is not None


def test_a_resumed_job_keeps_its_limit_unless_that_stopped_it(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, max_failure_rate=0.5)
    ledger.cancel(database, small.id)
    ledger.resume(database, small.id)
    assert look_at_job(books)["max_failure_rate"] == 0.5
    ledger.cancel(database, small.id)
    books.change(tables.jobs, status="failed", reason="too many")
    ledger.resume(database, small.id)
    job = look_at_job(books)
    assert (job["max_failure_rate"], job["reason"]) == (None, None)


def test_a_resumed_job_with_nothing_left_is_completed(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, max_failure_rate=0.0)
    for failing in ({1: FailureCode.TRUNCATED}, {}, {}):
        carry(database, small, failing)
    assert ledger.complete(database, small.id)
    assert look_at_job(books)["status"] == "failed"
    assert ledger.resume(database, small.id) == 0
    assert look_at_job(books)["status"] == "completed"
    assert recount(database, small.id) == Counts(10, 9, 1, 0)


@pytest.mark.parametrize("landed", [True, False])
def test_a_resume_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    ledger.cancel(database, small.id)
    faults.at_next_commit(database, landed=landed)
    assert ledger.resume(database, small.id) == 10
    assert books.rows(tables.chunks, "state", "token") == [("queued", 2)] * 3
    assert recount(database, small.id) == Counts(10, 0, 0, 0)
