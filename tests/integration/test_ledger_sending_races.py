"""Sending, claiming and deleting at once: the bound holds, and nothing is left behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from job_books import recount
from mutants import switch_off

from pipeline import ledger, tables
from pipeline.records import Counts
from pipeline.storage.deletion import delete_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Message

    Act = Callable[[], object]
    Race = Callable[[Act, Act], tuple[Any, Any]]

_ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of the cluster: eight images in four chunks."""
    job = submit_small(database, images=8, chunk_size=2)
    books.change(tables.jobs, dispatch="broker")
    return job


def numbers(messages: list[Message]) -> list[int]:
    return [message.number for message in messages]


def count_sent(books: Books) -> int:
    rows = books.rows(tables.chunks, "state", "sent_at")
    return sum(state == "queued" and sent is not None for state, sent in rows)


def claiming(database: Database, message: Message) -> Act:
    key = (message.job_id, message.number, message.token)
    return partial(ledger.claim, database, *key, "test", 60)


# ---------------------------------------------------------------- ahead
def test_two_who_top_up_at_once_find_room_once(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    top_up = partial(ledger.mark_ahead, database, small.id, 2)
    first, second = race(top_up, top_up)
    assert (numbers(first), second) == ([0, 1], [])
    assert count_sent(books) == 2


@pytest.mark.parametrize("claims_first", [True, False])
def test_a_claim_and_a_top_up_send_different_chunks(
    database: Database, books: Books, small: SmallJob, race: Race, claims_first: bool
) -> None:
    [message] = ledger.mark_ahead(database, small.id, 1)
    acts: list[Callable[[], Any]] = [
        claiming(database, message),
        partial(ledger.mark_ahead, database, small.id, 3),
    ]
    answers = race(*acts) if claims_first else race(*acts[::-1])[::-1]
    (claim, following), topped_up = answers
    assert claim is not None
    sent = numbers(following) + numbers(topped_up)
    assert sorted(sent) == sorted(set(sent))
    assert count_sent(books) == len(sent) <= 3


def test_two_claims_at_once_send_different_chunks(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    first, second = ledger.mark_ahead(database, small.id, 2)
    (one, after_one), (two, after_two) = race(claiming(database, first), claiming(database, second))
    assert None not in (one, two)
    assert sorted(numbers([*after_one, *after_two])) == [2, 3]
    assert count_sent(books) == 2


def test_what_was_marked_before_a_cancel_is_claimed_by_nobody(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    marking = partial(ledger.mark_ahead, database, small.id, 2)
    messages, cancelled = race(marking, partial(ledger.cancel, database, small.id))
    assert (numbers(messages), cancelled) == ([0, 1], 8)
    assert count_sent(books) == 0
    for message in messages:
        assert claiming(database, message)() == (None, [])
    assert recount(database, small.id) == Counts(8, 0, 0, 8)


def test_a_top_up_that_waited_for_a_cancel_sends_nothing(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    marking = partial(ledger.mark_ahead, database, small.id, 2)
    assert race(partial(ledger.cancel, database, small.id), marking) == (8, [])
    assert count_sent(books) == 0


# ---------------------------------------------------------------- claim and expire
def test_a_claim_sends_no_chunk_that_is_just_coming_back(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    books.take(small.id, lease_s=-1)
    [message] = ledger.mark_ahead(database, small.id, 1)
    expire = partial(ledger.expire_leases, database)
    found, (claim, following) = race(expire, claiming(database, message))
    assert found.lost == [small.id]
    assert (claim.number, len(following)) == (1, 1)
    assert count_sent(books) == 1
    assert recount(database, small.id) == Counts(8)


def test_a_stale_message_claims_nothing_while_its_chunk_comes_back(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    [message] = ledger.mark_ahead(database, small.id, 1)
    books.take(small.id, lease_s=-1)
    expire = partial(ledger.expire_leases, database)
    found, claimed = race(expire, claiming(database, message))
    assert (found.lost, claimed) == ([small.id], (None, []))


# ---------------------------------------------------------------- claim and delete
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("claims_first", [True, False])
def test_a_claim_and_a_deletion_leave_nothing_behind(
    database: Database,
    books: Books,
    small: SmallJob,
    race: Race,
    begun: bool,
    claims_first: bool,
) -> None:
    first, second = ledger.mark_ahead(database, small.id, 2)
    if begun:
        claiming(database, second)()
    acts: list[Callable[[], Any]] = [
        claiming(database, first),
        partial(delete_job, database, small.id),
    ]
    answers = race(*acts) if claims_first else race(*acts[::-1])[::-1]
    (claim, _), deleted = answers
    assert deleted is True
    assert claim is not None or not claims_first
    if claim is not None:
        outcomes = books.classified(range(2))
        assert not ledger.finish(database, claim, small.model, outcomes, books.made)
        assert ledger.renew(database, [claim], 60) == 0
    left = (tables.jobs, tables.chunks, tables.images, tables.outcomes, tables.predictions)
    assert [books.count(table) for table in left] == [0] * 5


# ---------------------------------------------------------------- what the lock is for
@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody locks a job before he looks."""
    switch_off(monkeypatch, "pipeline.storage.rows", {".with_for_update()": ""})


@_ON_POSTGRES
@pytest.mark.usefixtures("unlocked")
def test_without_the_lock_more_messages_wait_than_allowed(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    top_up = partial(ledger.mark_ahead, database, small.id, 2)
    race(top_up, top_up)
    assert count_sent(books) == 4


@_ON_POSTGRES
@pytest.mark.usefixtures("unlocked")
def test_without_the_lock_a_job_is_completed_with_an_open_chunk(
    database: Database, books: Books, submit_small: Callable[..., SmallJob], race: Race
) -> None:
    small = submit_small(database, images=2)
    claim = books.take(small.id)
    ledger.finish(database, claim, small.model, books.failed(range(2)), books.made)
    race(partial(ledger.retry, database, small.id), partial(ledger.complete, database, small.id))
    with database.reading() as connection:
        status = connection.execute(sa.select(tables.jobs.c.status)).scalar_one()
    assert (status, books.look(tables.chunks)["state"]) == ("completed", "queued")
