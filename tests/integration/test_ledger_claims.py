"""A chunk is claimed by one, in order, under its token, and when its time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.records import (
    Claim,
    Dispatch,
    JobSpec,
    Model,
    Reference,
)
from pipeline.storage.rows import add_images, create_job, mark_submitted, save_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


def test_the_oldest_chunk_is_claimed_first(
    database: Database, books: Books, small: SmallJob
) -> None:
    claims = [books.take(small.id) for _ in range(3)]
    spans = [(0, 0, 3), (1, 4, 7), (2, 8, 9)]
    assert claims == [Claim(small.id, n, 1, first, last, 0) for n, first, last in spans]
    assert ledger.claim_next(database, small.id, "test", 60) is None


def test_a_claim_is_a_lease_by_the_clock_of_the_database(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.take(small.id, lease_s=120)
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["worker"]) == ("running", "test")
    assert (row["lease_until"] - row["started_at"]).total_seconds() == pytest.approx(120, abs=1)


def test_the_first_claim_starts_the_job_and_no_other_does(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert books.look(tables.jobs)["started_at"] is None
    books.take(small.id)
    job = books.look(tables.jobs)
    assert job["status"] == "running"
    books.take(small.id)
    assert books.look(tables.jobs)["started_at"] == job["started_at"] is not None


def test_a_message_claims_only_under_its_own_token(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert ledger.claim(database, small.id, 1, 5, "test", 60)[0] is None
    claim = ledger.claim(database, small.id, 1, 0, "test", 60)[0]
    assert claim == Claim(small.id, 1, 1, 4, 7, 0)
    assert ledger.claim(database, small.id, 1, 0, "test", 60)[0] is None
    assert ledger.claim(database, small.id, 1, 1, "test", 60)[0] is None
    assert ledger.claim(database, small.id, 99, 0, "test", 60)[0] is None


def test_a_stale_message_does_not_start_a_job(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert ledger.claim(database, small.id, 0, 7, "test", 60)[0] is None
    assert books.look(tables.jobs)["status"] == "pending"


def test_nothing_is_claimed_or_completed_before_the_last_piece_is_in(
    database: Database, books: Books, small_model: Model
) -> None:
    spec = JobSpec(None, small_model, {}, "hash", 4, Dispatch.LOCAL)
    with database.transaction() as connection:
        job_id = create_job(connection, spec, save_model(connection, small_model).id)
        add_images(connection, job_id, 4, 0, [Reference(f"/{n}") for n in range(4)])
    assert ledger.claim_next(database, job_id, "test", 60) is None
    assert ledger.claim(database, job_id, 0, 0, "test", 60)[0] is None
    books.change(tables.chunks, state="done", succeeded=4)
    assert not ledger.complete(database, job_id)
    books.change(tables.chunks, state="queued", succeeded=0)
    with database.transaction() as connection:
        mark_submitted(connection, job_id, 4)
    assert ledger.claim(database, job_id, 0, 0, "test", 60)[0] is not None


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_job_that_is_not_alive_gives_no_chunk(
    database: Database, books: Books, small: SmallJob, status: str
) -> None:
    books.change(tables.jobs, status=status)
    assert ledger.claim_next(database, small.id, "test", 60) is None
    assert ledger.claim(database, small.id, 0, 0, "test", 60)[0] is None


def test_one_job_never_gets_the_chunk_of_another(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    one, two = submit_small(database, 4), submit_small(database, 4)
    assert books.take(two.id).job_id == two.id
    assert ledger.claim_next(database, two.id, "test", 60) is None
    assert books.take(one.id).job_id == one.id


def test_a_chunk_waits_for_its_time_and_says_how_long(
    database: Database, books: Books, small: SmallJob
) -> None:
    claims = [books.take(small.id) for _ in range(3)]
    assert ledger.seconds_to_next(database, small.id) is None
    ledger.give_back(database, claims[0], retry_in_s=300)
    ledger.give_back(database, claims[1], retry_in_s=100)
    assert ledger.seconds_to_next(database, small.id) == pytest.approx(100, abs=5)
    assert ledger.claim_next(database, small.id, "test", 60) is None
    books.change(tables.chunks, not_before=from_now(-1))
    assert ledger.seconds_to_next(database, small.id) == 0
    assert books.take(small.id).number == 0


def test_a_fresh_chunk_may_be_claimed_now(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert ledger.seconds_to_next(database, small.id) == 0


def test_a_renewal_counts_the_claims_that_still_hold(
    database: Database, books: Books, small: SmallJob
) -> None:
    one, two, three = (books.take(small.id, lease_s=1) for _ in range(3))
    ledger.give_back(database, two)
    assert ledger.renew(database, [one, two, three], 500) == 2
    assert ledger.renew(database, [], 500) == 0
    row = books.look(tables.chunks, 0)
    assert (row["lease_until"] - row["started_at"]).total_seconds() > 490
    assert books.look(tables.chunks, 1)["lease_until"] is None
