"""Two steps of a cluster at once: in either order the locks keep the books, and nobody is stuck."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from job_books import recount

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.ledger import Losses, losses
from pipeline.records import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Claim

    Act = Callable[[], object]
    Race = Callable[[Act, Act], tuple[Any, Any]]

_ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of the cluster: eight images in two chunks."""
    job = submit_small(database, images=8, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    return job


@pytest.fixture
def late(database: Database, books: Books, small: SmallJob) -> Claim:
    """A claim of the first chunk whose lease has run out."""
    return books.take(small.id, lease_s=-1)


@pytest.fixture
def expire(database: Database) -> Act:
    return partial(ledger.expire_leases, database)


@pytest.fixture
def finish(database: Database, books: Books, small: SmallJob, late: Claim) -> Act:
    """The finish of whoever comes late."""
    outcomes = books.classified(range(4))
    return partial(ledger.finish, database, late, small.model, outcomes, books.made)


def look(books: Books, number: int) -> tuple[Any, ...]:
    row = books.look(tables.chunks, number)
    return (row["state"], row["lost"])


# ---------------------------------------------------------------- expire
def test_a_loss_passes_over_a_chunk_that_is_being_finished(
    database: Database, books: Books, small: SmallJob, finish: Act, expire: Act, race: Race
) -> None:
    assert race(finish, expire) == (True, Losses())
    assert look(books, 0) == ("done", 0)
    assert recount(database, small.id) == Counts(8, 4)


def test_a_finish_that_waited_for_a_loss_writes_nothing(
    database: Database, books: Books, small: SmallJob, finish: Act, expire: Act, race: Race
) -> None:
    assert race(expire, finish) == (Losses(lost=[small.id]), False)
    assert look(books, 0) == ("queued", 1)
    assert recount(database, small.id) == Counts(8)


def test_a_finish_that_waited_for_a_split_writes_nothing(
    database: Database, books: Books, small: SmallJob, finish: Act, expire: Act, race: Race
) -> None:
    books.change(tables.chunks, lost=1)
    assert race(expire, finish) == (Losses(lost=[small.id], split=[small.id]), False)
    assert recount(database, small.id) == Counts(8)


def test_a_loss_and_a_renewal_keep_out_of_each_others_way(
    database: Database, books: Books, small: SmallJob, late: Claim, expire: Act, race: Race
) -> None:
    renew = partial(ledger.renew, database, [late], 60)
    assert race(renew, expire) == (1, Losses())
    assert look(books, 0) == ("running", 0)


def test_a_renewal_that_waited_for_a_loss_finds_nothing(
    database: Database, books: Books, small: SmallJob, late: Claim, expire: Act, race: Race
) -> None:
    renew = partial(ledger.renew, database, [late], 60)
    assert race(expire, renew) == (Losses(lost=[small.id]), 0)
    assert look(books, 0) == ("queued", 1)


def test_two_sweepers_lose_a_chunk_once(
    database: Database, books: Books, small: SmallJob, late: Claim, expire: Act, race: Race
) -> None:
    assert race(expire, expire) == (Losses(lost=[small.id]), Losses())
    assert look(books, 0) == ("queued", 1)


def test_two_sweepers_condemn_an_image_once(
    database: Database, books: Books, submit_small: Callable[..., SmallJob], expire: Act, race: Race
) -> None:
    small = submit_small(database, images=1)
    books.change(tables.jobs, dispatch="broker")
    books.take(small.id, lease_s=-1)
    books.change(tables.chunks, solo=True, solo_lost=1, lost=2)
    assert race(expire, expire)[1] == Losses()
    assert recount(database, small.id) == Counts(1, 0, 1)


@_ON_POSTGRES
def test_a_row_that_somebody_holds_stops_the_loss_of_no_other(
    database: Database, books: Books, small: SmallJob, late: Claim
) -> None:
    books.take(small.id, lease_s=-1)
    mine = tables.chunks.c.number == 0
    with database.transaction() as holder:
        holder.execute(sa.select(tables.chunks).where(mine).with_for_update())
        assert ledger.expire_leases(database) == Losses(lost=[small.id])
        assert look(books, 1) == ("queued", 1)
    assert ledger.expire_leases(database) == Losses(lost=[small.id])
    assert look(books, 0) == ("queued", 1)


def test_a_sweep_loses_so_many_at_once_and_the_next_one_the_rest(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(losses, "_AT_ONCE", 10)
    small = submit_small(database, images=25, chunk_size=1)
    books.change(tables.jobs, dispatch="broker", status="running")
    books.change(tables.chunks, state="running", lease_until=from_now(-1))
    counts = [len(ledger.expire_leases(database).lost) for _ in range(4)]
    assert counts == [10, 10, 5, 0]
    assert set(books.rows(tables.chunks, "state", "lost")) == {("queued", 1)}
    assert recount(database, small.id) == Counts(25)


# ---------------------------------------------------------------- expire and a user
@pytest.mark.parametrize("lost", [0, 1])
def test_a_loss_that_waited_for_a_cancel_does_nothing(
    database: Database,
    books: Books,
    small: SmallJob,
    late: Claim,
    expire: Act,
    race: Race,
    lost: int,
) -> None:
    books.change(tables.chunks, lost=lost)
    assert race(partial(ledger.cancel, database, small.id), expire) == (8, Losses())
    assert recount(database, small.id) == Counts(8, 0, 0, 8)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_cancel_that_waited_for_a_loss_takes_what_came_of_it(
    database: Database,
    books: Books,
    small: SmallJob,
    late: Claim,
    expire: Act,
    race: Race,
    lost: int,
) -> None:
    books.change(tables.chunks, lost=lost)
    found, cancelled = race(expire, partial(ledger.cancel, database, small.id))
    assert (found.lost, cancelled) == ([small.id], 8)
    assert len(books.rows(tables.chunks)) == (2 if lost == 0 else 5)
    assert recount(database, small.id) == Counts(8, 0, 0, 8)


@pytest.fixture
def half_failed(database: Database, books: Books, small: SmallJob) -> None:
    """The first chunk has one failure, is in somebody's hands, and about to be split."""
    claim = books.take(small.id)
    bad = books.failed([1])
    ledger.finish(database, claim, small.model, bad, books.made, retry_in_s=0)
    books.take(small.id, lease_s=-1)
    books.change(tables.chunks, lost=1)


@pytest.mark.usefixtures("half_failed")
def test_a_retry_that_waited_for_a_split_opens_the_failures_of_the_children(
    database: Database, books: Books, small: SmallJob, expire: Act, race: Race
) -> None:
    found, opened = race(expire, partial(ledger.retry, database, small.id))
    assert (found.split, opened) == ([small.id], 1)
    states = [state for number, state in books.rows(tables.chunks, "number", "state") if number > 1]
    assert states == ["queued"] * 4
    assert recount(database, small.id) == Counts(8)


@pytest.mark.usefixtures("half_failed")
def test_a_split_that_waited_for_a_retry_does_nothing(
    database: Database, books: Books, small: SmallJob, expire: Act, race: Race
) -> None:
    assert race(partial(ledger.retry, database, small.id), expire) == (1, Losses())
    assert look(books, 0) == ("queued", 0)
    assert recount(database, small.id) == Counts(8)
