"""What is lost goes again; a chunk that kills its workers is split, and its culprit condemned."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from job_books import carry, carry_all, recount

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.errors import JobError
from pipeline.ledger import Losses
from pipeline.records import Claim, Counts
from pipeline.storage.deletion import delete_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of the cluster: ten images in chunks of four, four and two."""
    job = submit_small(database, images=10, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    return job


@pytest.fixture
def lose(database: Database, books: Books, small: SmallJob) -> Callable[..., Claim]:
    """A function that claims the next chunk, and lets its lease run out so many times."""

    def lose_one(times: int = 1) -> Claim:
        for _ in range(times):
            claim = books.take(small.id, lease_s=-1)
            assert ledger.expire_leases(database).lost == [small.id]
        return claim

    return lose_one


def children(books: Books) -> list[tuple[Any, ...]]:
    """Return ``number first last state token lost solo succeeded failed`` behind the third."""
    names = ("number", "first", "last", "state", "token", "lost", "solo", "succeeded", "failed")
    return [row for row in books.rows(tables.chunks, *names) if row[0] > 2]


# ---------------------------------------------------------------- the first loss
def test_a_chunk_whose_lease_ran_out_goes_again(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    books.change(tables.chunks, sent_at=from_now(), retries=1)
    claim = lose()
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["token"], row["lost"]) == ("queued", claim.token + 1, 1)
    assert (row["solo"], row["solo_lost"], row["retries"]) == (False, 0, 1)
    assert [row[n] for n in ("sent_at", "lease_until", "worker", "not_before")] == [None] * 4
    assert books.take(small.id).attempt == 3
    assert recount(database, small.id) == Counts(10)


def test_a_lease_that_is_good_is_left_alone(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id, lease_s=-1)
    books.take(small.id, lease_s=30)
    assert ledger.renew(database, [claim], 30) == 1
    assert ledger.expire_leases(database) == Losses()
    assert books.rows(tables.chunks, "state") == [("running",), ("running",), ("queued",)]


def test_a_local_run_keeps_its_leases_whatever_the_clock_says(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, dispatch="local")
    books.take(small.id, lease_s=-1)
    assert ledger.expire_leases(database) == Losses()


def test_a_drain_and_a_retry_are_no_losses(
    database: Database, books: Books, small: SmallJob
) -> None:
    for _ in range(3):
        ledger.give_back(database, books.take(small.id))
    claim = books.take(small.id)
    part = books.classified([0])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    assert books.look(tables.chunks, 0)["lost"] == 0


# ---------------------------------------------------------------- the second loss
def test_a_chunk_lost_twice_is_split_into_its_images(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    lose()
    books.take(small.id, lease_s=-1)
    assert ledger.expire_leases(database) == Losses(lost=[small.id], split=[small.id])
    assert [number for (number,) in books.rows(tables.chunks, "number")] == [1, 2, 3, 4, 5, 6]
    assert children(books) == [(3 + n, n, n, "queued", 0, 0, False, 0, 0) for n in range(4)]
    assert recount(database, small.id) == Counts(10)
    carry_all(database, small)
    assert recount(database, small.id) == Counts(10, 10)


def test_children_of_finished_images_keep_the_books(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    part = [*books.classified([0]), *books.failed([2])]
    claim = books.take(small.id)
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    lose(2)
    states = [(row[3], *row[-2:]) for row in children(books)]
    assert states == [("done", 1, 0), ("queued", 0, 0), ("done", 0, 1), ("queued", 0, 0)]
    assert recount(database, small.id) == Counts(10, 1, 1)
    assert ledger.retry(database, small.id) == 1
    carry_all(database, small)
    assert recount(database, small.id) == Counts(10, 10)


def test_the_children_of_two_chunks_share_no_number(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    lose(2)
    lose(2)
    assert [row[:2] for row in children(books)] == [(3 + n, n) for n in range(8)]
    assert recount(database, small.id) == Counts(10)


def test_whoever_comes_late_to_a_chunk_that_was_split_finds_no_row(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    # The only chunk: its number would be free again if it were not kept.
    small = submit_small(database, images=4, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    [message] = ledger.mark_ahead(database, small.id, 1)
    late = [books.take(small.id, lease_s=-1)]
    ledger.expire_leases(database)
    late.append(books.take(small.id, lease_s=-1))
    ledger.expire_leases(database)
    before = books.rows(tables.chunks)
    for claim in late:
        assert ledger.renew(database, [claim], 60) == 0
        assert ledger.list_held(database, [claim]) == set()
        assert not ledger.give_back(database, claim)
        assert not carry(database, small, claim=claim)
    for token in range(5):
        assert ledger.claim(database, small.id, 0, token, "test", 60) == (None, [])
    ledger.unmark(database, [message])
    assert books.rows(tables.chunks) == before
    assert [row[0] for row in books.rows(tables.chunks, "number")] == [1, 2, 3, 4]


# ---------------------------------------------------------------- one image alone
def test_an_image_that_was_lost_runs_solo_and_is_condemned_when_that_kills_twice(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    lose(2)
    books.change(tables.chunks, state="done", not_before=None)
    with database.transaction() as connection:
        mine = tables.chunks.c.number == 3
        connection.execute(sa.update(tables.chunks).where(mine).values(state="queued"))
    seen = []
    for _ in range(3):
        claim = books.take(small.id, lease_s=-1)
        found = ledger.expire_leases(database)
        row = books.look(tables.chunks, 3)
        seen.append((row["state"], row["lost"], row["solo"], row["solo_lost"]))
        assert row["token"] == claim.token + 1
    assert seen == [("queued", 1, True, 0), ("queued", 2, True, 1), ("done", 3, True, 2)]
    assert found == Losses(lost=[small.id], condemned=[small.id])
    assert (row["succeeded"], row["failed"], row["lease_until"]) == (0, 1, None)
    [outcome] = books.rows(tables.outcomes, "index", "model_id", "label_id", "code")
    assert outcome == (0, small.model.id, None, "worker_crashed")
    assert not carry(database, small, claim=claim)


def test_a_poisoned_job_is_completed_and_its_poison_may_be_tried_again(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=2, chunk_size=2)
    books.change(tables.jobs, dispatch="broker")
    for _ in range(2):
        books.take(small.id, lease_s=-1)
        ledger.expire_leases(database)
    while ledger.seconds_to_next(database, small.id) is not None:
        claim = books.take(small.id, lease_s=-1)
        if claim.first == 0:
            ledger.expire_leases(database)
        else:
            carry(database, small, claim=claim)
    assert ledger.list_ended_jobs(database) == [small.id]
    assert ledger.complete(database, small.id)
    assert recount(database, small.id) == Counts(2, 1, 1)
    assert ledger.retry(database, small.id) == 1
    row = books.look(tables.chunks, 1)
    assert (row["state"], row["lost"], row["solo"], row["solo_lost"]) == ("queued", 0, False, 0)


def test_a_solo_message_says_so(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=1, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    assert not ledger.mark_ahead(database, small.id, 1)[0].solo
    books.take(small.id, lease_s=-1)
    # A chunk of one image is never split.
    assert ledger.expire_leases(database) == Losses(lost=[small.id])
    assert ledger.mark_ahead(database, small.id, 1)[0].solo


# ---------------------------------------------------------------- jobs that are over
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_of_a_cancelled_job_is_lost(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim], times: int
) -> None:
    if times == 2:
        lose()
    books.take(small.id, lease_s=-1)
    ledger.cancel(database, small.id)
    before = books.rows(tables.chunks)
    assert ledger.expire_leases(database) == Losses()
    assert books.rows(tables.chunks) == before


def test_what_is_lost_while_its_job_is_being_deleted_leaves_nothing_behind(
    database: Database, books: Books, small: SmallJob, lose: Callable[..., Claim]
) -> None:
    lose()
    books.take(small.id, lease_s=-1)
    books.change(tables.jobs, submitted_at=None, status="cancelled", finished_at=from_now())
    assert ledger.expire_leases(database) == Losses(lost=[small.id])
    assert children(books) == []
    with suppress(JobError):
        ledger.retry(database, small.id)
    delete_job(database, small.id)
    assert ledger.expire_leases(database) == Losses()
    assert [books.count(table) for table in (tables.chunks, tables.outcomes)] == [0, 0]
