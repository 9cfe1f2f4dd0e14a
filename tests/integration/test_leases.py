"""Leases are renewed in time, a lost one ends its work, and a moment without a database is none."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from waiting import wait_for

from pipeline import ledger, tables
from pipeline.errors import DatabaseError
from workers.leases import Lease, Leases

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Claim

_LEASE_S = 1.2
#: A look comes every sixth of a lease, a renewal every third.
_SOON_S = 20.0


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


@pytest.fixture
def losses() -> list[int]:
    """How many leases each look found to be lost."""
    return []


@pytest.fixture
def leases(database: Database, losses: list[int]) -> Iterator[Leases]:
    """The leases of one process, short ones."""
    made = Leases(database, _LEASE_S, losses.append)
    made.start()
    yield made
    made.close()
    made._thread.join(_SOON_S)


@pytest.fixture
def lease_until(database: Database) -> Callable[[Claim], datetime]:
    """A function that reads until when a chunk is leased."""

    def read(claim: Claim) -> datetime:
        look = sa.select(tables.chunks.c.lease_until)
        mine = look.filter_by(job_id=claim.job_id, number=claim.number)
        with database.reading() as connection:
            until: datetime = connection.execute(mine).scalar_one()
        return until

    return read


def test_what_is_in_hand_is_renewed_again_and_again(
    books: Books, small: SmallJob, leases: Leases, lease_until: Callable[[Claim], datetime]
) -> None:
    claim, dropped = (books.take(small.id, _LEASE_S) for _ in range(2))
    with leases.hold(dropped):
        pass
    left_at = lease_until(dropped)
    with leases.hold(claim) as lease:
        for _ in range(3):
            until = lease_until(claim)
            wait_for(lambda until=until: lease_until(claim) > until, _SOON_S, "a renewal")  # type: ignore[misc]
        assert not lease.lost
    # What was let go of, finished or given back, is renewed no more.
    assert lease_until(dropped) == left_at


def test_the_work_of_a_cancelled_chunk_is_cancelled(
    database: Database, books: Books, small: SmallJob, leases: Leases, losses: list[int]
) -> None:
    works: list[Future[Any]] = [Future(), Future()]
    claims = [books.take(small.id) for _ in works]
    with leases.hold(claims[0]) as one, leases.hold(claims[1]) as two:
        one.bind(works[0])
        two.bind(works[1])
        ledger.cancel(database, small.id)
        wait_for(lambda: one.lost and two.lost, _SOON_S, "the loss")
        assert [work.cancelled() for work in works] == [True, True]
    wait_for(lambda: sum(losses) == 2, _SOON_S, "the count")


@pytest.mark.parametrize("fence", ["retry", "loss", "deletion"])
def test_a_chunk_that_is_somebody_elses_now_is_lost(
    database: Database, books: Books, small: SmallJob, leases: Leases, fence: str
) -> None:
    claim = books.take(small.id)
    work: Future[Any] = Future()
    with leases.hold(claim) as lease:
        lease.bind(work)
        if fence == "deletion":
            with database.transaction() as connection:
                connection.execute(sa.delete(tables.chunks))
        else:
            ledger.free_leases(database, small.id)
        if fence == "loss":
            books.take(small.id)
        wait_for(lambda: lease.lost, _SOON_S, "the loss")
        assert work.cancelled()


def test_work_that_begins_on_a_lost_lease_is_cancelled_at_once(
    books: Books, small: SmallJob
) -> None:
    lease, work = Lease(books.take(small.id)), Future[Any]()
    lease.lose()
    lease.bind(work)
    assert lease.lost
    assert work.cancelled()


def test_what_is_being_stored_is_no_loss(
    database: Database, books: Books, small: SmallJob, leases: Leases, losses: list[int]
) -> None:
    stored, taken = (books.take(small.id) for _ in range(2))
    work: Future[Any] = Future()
    work.set_result("the answer")
    with leases.hold(stored) as lease, leases.hold(taken) as other:
        lease.bind(work)
        other.bind(Future())
        outcomes = books.classified(range(4))
        assert ledger.finish(database, stored, small.model, outcomes, books.made)
        ledger.give_back(database, taken)
        # The look that finds the one has looked at the other.
        wait_for(lambda: other.lost, _SOON_S, "the loss")
        assert not lease.lost
    assert losses == [1]


def test_a_loss_is_counted_once(
    database: Database, books: Books, small: SmallJob, leases: Leases, losses: list[int]
) -> None:
    claims = [books.take(small.id) for _ in range(2)]
    with leases.hold(claims[0]) as one, leases.hold(claims[1]) as two:
        ledger.give_back(database, claims[0])
        wait_for(lambda: one.lost, _SOON_S, "the loss")
        ledger.give_back(database, claims[1])
        wait_for(lambda: two.lost, _SOON_S, "the second loss")
    assert losses == [1, 1]


@pytest.mark.parametrize("what", ["renew", "list_held"])
def test_a_database_that_is_away_for_a_moment_does_no_harm(
    books: Books,
    small: SmallJob,
    leases: Leases,
    losses: list[int],
    lease_until: Callable[[Claim], datetime],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    claim, away, real = books.take(small.id, _LEASE_S), [1, 2, 3], getattr(ledger, what)

    def fail_at_first(database: Database, claims: Collection[Claim], *rest: float) -> object:
        if claims and away:
            away.pop()
            raise DatabaseError("away")
        return real(database, claims, *rest)

    monkeypatch.setattr(ledger, what, fail_at_first)
    with leases.hold(claim) as lease:
        wait_for(lambda: not away, _SOON_S, "the trouble")
        until = lease_until(claim)
        wait_for(lambda: lease_until(claim) > until, _SOON_S, "a renewal")
        assert not lease.lost
    assert losses == []
