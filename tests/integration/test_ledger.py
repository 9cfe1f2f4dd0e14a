"""What becomes of a claimed chunk: finished, given back, or freed, behind its fence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.records import (
    Claim,
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


def test_a_finished_chunk_is_done_with_its_counts_and_its_provenance(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    outcomes = [*books.classified([0, 1, 2]), *books.failed([3])]
    assert ledger.finish(database, claim, small.model, outcomes, books.made)
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["token"], row["lease_until"]) == ("done", 2, None)
    assert (row["succeeded"], row["failed"], row["retries"]) == (3, 1, 0)
    assert (row["batch_sizes"], row["queue_wait_ms"]) == ([3, 1], 5.0)
    assert (row["read_ms"], row["decode_ms"], row["forward_ms"]) == (10.0, 20.0, 30.0)
    assert (row["engine"], row["device"], row["versions"]) == ("torch", "cpu", {"torch": "2"})
    assert row["store_ms"] > 0
    assert row["finished_at"] >= row["started_at"]
    assert books.count(tables.outcomes) == 4


def test_finishing_twice_writes_once(database: Database, books: Books, small: SmallJob) -> None:
    claim = books.take(small.id)
    assert ledger.finish(database, claim, small.model, books.classified(range(4)), books.made)
    assert not ledger.finish(database, claim, small.model, books.classified(range(4)), books.made)
    assert books.count(tables.outcomes) == 4
    assert books.look(tables.chunks, 0)["succeeded"] == 4


@pytest.mark.parametrize("fence", ["given back", "freed", "given back and claimed again"])
def test_a_finish_under_a_stale_token_writes_nothing(
    database: Database, books: Books, small: SmallJob, fence: str
) -> None:
    stale = books.take(small.id)
    if fence == "freed":
        assert ledger.free_leases(database, small.id) == 1
    else:
        assert ledger.give_back(database, stale)
    if fence == "given back and claimed again":
        assert books.take(small.id).number == stale.number
    before = books.look(tables.chunks, 0)
    assert not ledger.finish(database, stale, small.model, books.classified(range(4)), books.made)
    assert not ledger.give_back(database, stale)
    assert ledger.renew(database, [stale], 500) == 0
    assert books.look(tables.chunks, 0) == before
    assert books.count(tables.outcomes) == 0


def test_images_left_open_go_back_to_the_queue_with_their_chunk(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.chunks, sent_at=from_now())
    claim = books.take(small.id)
    outcomes = books.classified([0, 2])
    assert ledger.finish(database, claim, small.model, outcomes, books.made, retry_in_s=300)
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["token"], row["retries"], row["lost"]) == ("queued", 2, 1, 0)
    assert (row["sent_at"], row["lease_until"], row["succeeded"]) == (None, None, 2)
    assert (row["not_before"] - row["started_at"]).total_seconds() == pytest.approx(300, abs=5)
    assert books.take(small.id).number == 1
    books.change(tables.chunks, not_before=None)
    again = books.take(small.id)
    assert (again.number, again.token, again.retries) == (0, 3, 1)
    rest = [*books.classified([1]), *books.failed([3])]
    assert ledger.finish(database, again, small.model, rest, books.made)
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["succeeded"], row["failed"]) == ("done", 3, 1)
    # Two rounds made it: what they took adds up.
    assert (row["batch_sizes"], row["read_ms"]) == ([3, 1, 3, 1], 20.0)
    assert books.count(tables.outcomes) == 4


@pytest.mark.parametrize(
    ("indexes", "retry_in_s"),
    [
        ([0, 1, 2], None),
        ([], None),
        ([0, 1, 2, 3], 5.0),
        ([0, 1, 2, 4], None),
        ([0, 1, 2, 2], None),
        ([0, 1, 2, 3, 4], 5.0),
    ],
    ids=["open image", "nothing", "none left to retry", "outside", "twice", "too many"],
)
def test_outcomes_that_do_not_fit_their_chunk_are_a_bug_and_write_nothing(
    database: Database, books: Books, small: SmallJob, indexes: list[int], retry_in_s: float | None
) -> None:
    claim = books.take(small.id)
    before = books.look(tables.chunks, 0)
    with pytest.raises(AssertionError):
        ledger.finish(
            database, claim, small.model, books.classified(indexes), books.made, retry_in_s
        )
    assert books.look(tables.chunks, 0) == before
    assert books.count(tables.outcomes) == 0


def test_an_error_in_the_middle_of_a_finish_leaves_the_claim_as_it_was(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    before = books.look(tables.chunks, 0)
    unknown_label = [*books.classified([0, 1, 2]), *books.classified([3], label=10)]
    with pytest.raises(IndexError):
        ledger.finish(database, claim, small.model, unknown_label, books.made)
    assert books.look(tables.chunks, 0) == before
    assert books.count(tables.outcomes) == 0


def test_a_chunk_given_back_is_no_loss_and_no_retry(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.chunks, sent_at=from_now())
    claim = books.take(small.id)
    assert ledger.give_back(database, claim)
    row = books.look(tables.chunks, 0)
    assert (row["state"], row["token"], row["lost"], row["retries"]) == ("queued", 2, 0, 0)
    empty = ("sent_at", "lease_until", "not_before", "worker")
    assert [row[name] for name in empty] == [None] * 4
    assert books.take(small.id) == Claim(small.id, 0, 3, 0, 3, 0)


def test_freeing_a_dead_run_frees_its_running_chunks_and_no_others(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    other, small = submit_small(database, 4), submit_small(database, 12)
    books.take(other.id)
    done, waiting, _ = (books.take(small.id) for _ in range(3))
    ledger.finish(database, done, small.model, books.classified(range(4)), books.made)
    ledger.finish(database, waiting, small.model, books.classified([4]), books.made, retry_in_s=500)
    assert ledger.free_leases(database, small.id) == 1
    with database.reading() as connection:
        chunk = tables.chunks.c
        found = sa.select(chunk.state, chunk.token, chunk.lost, chunk.retries)
        states = connection.execute(found.order_by(chunk.job_id, chunk.number)).all()
    expected = [("running", 1, 0, 0), ("done", 2, 0, 0), ("queued", 2, 0, 1), ("queued", 2, 0, 0)]
    assert [tuple(row) for row in states] == expected
    assert books.take(small.id).number == 2
