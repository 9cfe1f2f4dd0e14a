"""A message that the broker forgot is sent again, and no other; nothing is marked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from crowd import at_once

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.records import Priority
from pipeline.storage.rows import lock_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Message

_HIGH, _BULK = Priority.HIGH, Priority.BULK


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of the cluster in five chunks of four images."""
    job = submit_small(database, images=20, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    return job


def numbers(messages: list[Message]) -> list[int]:
    return [message.number for message in messages]


def resend(database: Database, **lengths: int) -> list[Message]:
    by_priority = {Priority(name): length for name, length in lengths.items()}
    return ledger.mark_overdue(database, by_priority, 300)


def age(database: Database, number: int, seconds: float) -> None:
    """Let a chunk have been sent so long ago."""
    mine = tables.chunks.c.number == number
    with database.transaction() as connection:
        sent = {"sent_at": from_now(-seconds)}
        connection.execute(sa.update(tables.chunks).where(mine).values(sent))


# ---------------------------------------------------------------- overdue
def test_a_message_is_sent_again_when_it_is_overdue_and_the_queue_is_short(
    database: Database, books: Books, small: SmallJob
) -> None:
    sent = ledger.mark_ahead(database, small.id, 3)
    age(database, 0, 290)
    age(database, 1, 310)
    age(database, 2, 400)
    assert resend(database, bulk=3) == []
    assert resend(database, bulk=99) == []
    # The oldest first; each of them may be the one that was lost.
    assert resend(database, bulk=2) == [sent[2], sent[1]]
    assert resend(database, bulk=0) == []
    age(database, 1, 310)
    assert resend(database, bulk=0) == [sent[1]]


def test_what_was_never_sent_or_is_claimed_is_not_sent_again(
    database: Database, books: Books, small: SmallJob
) -> None:
    first, _, _ = ledger.mark_ahead(database, small.id, 3)
    for number in range(3):
        age(database, number, 400)
    ledger.claim(database, small.id, 0, first.token, "test", 60)
    assert sorted(numbers(resend(database, bulk=0))) == [1, 2]


def test_a_chunk_that_came_back_is_sent_anew_and_not_again(
    database: Database, books: Books, small: SmallJob
) -> None:
    [message] = ledger.mark_ahead(database, small.id, 1)
    claim, _ = ledger.claim(database, small.id, 0, message.token, "test", 60)
    assert claim is not None
    age(database, 0, 400)
    ledger.give_back(database, claim)
    age(database, 1, 0)
    assert resend(database, bulk=0) == []


def test_each_queue_is_compared_with_what_should_wait_in_it(
    database: Database, books: Books, small: SmallJob, submit_small: Callable[..., SmallJob]
) -> None:
    high = submit_small(database, images=4, chunk_size=4)
    with database.transaction() as connection:
        mine = tables.jobs.c.id == high.id
        values = {"dispatch": "broker", "priority": "high"}
        connection.execute(sa.update(tables.jobs).where(mine).values(values))
    ledger.mark_ahead(database, small.id, 2)
    ledger.mark_ahead(database, high.id, 2)
    books.change(tables.chunks, sent_at=from_now(-400))
    # What was never sent at all counts as sent here, too: all five chunks of the other job.
    assert resend(database, high=1, bulk=5) == []
    [message] = resend(database, high=0, bulk=5)
    assert (message.job_id, message.priority) == (high.id, _HIGH)
    found = resend(database, high=1, bulk=4)
    assert {(one.job_id, one.priority) for one in found} == {(small.id, _BULK)}
    assert sorted(numbers(found)) == [0, 1, 2, 3, 4]


def test_one_of_two_sweepers_sends_again(database: Database, books: Books, small: SmallJob) -> None:
    ledger.mark_ahead(database, small.id, 5)
    books.change(tables.chunks, sent_at=from_now(-400))
    found = at_once(*(lambda: resend(database, bulk=0),) * 4)
    assert sorted(number for messages in found for number in numbers(messages)) == [0, 1, 2, 3, 4]


def test_a_chunk_that_somebody_is_claiming_is_passed_over(
    database: Database, books: Books, small: SmallJob
) -> None:
    if database.dialect == "sqlite":
        return  # Its only writer is the one who claims.
    ledger.mark_ahead(database, small.id, 3)
    books.change(tables.chunks, sent_at=from_now(-400))
    mine = (tables.chunks.c.job_id == small.id, tables.chunks.c.number == 1)
    with database.transaction() as other:
        other.execute(sa.select(tables.chunks).where(*mine).with_for_update())
        assert sorted(numbers(resend(database, bulk=0))) == [0, 2, 3, 4]
        assert lock_job(other, small.id) is not None


# ---------------------------------------------------------------- commits of unknown outcome
@pytest.mark.parametrize("landed", [True, False])
def test_a_claim_whose_commit_is_unknown_marks_one_chunk(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    first, _ = ledger.mark_ahead(database, small.id, 2)
    faults.at_next_commit(database, landed=landed)
    claim, following = ledger.claim(database, small.id, 0, first.token, "test", 60)
    assert claim is not None
    assert numbers(following) == [2]
    rows = books.rows(tables.chunks, "state", "token", "sent_at")
    assert [row[:2] for row in rows[:2]] == [("running", 1), ("queued", 0)]
    assert [bool(row[2]) for row in rows] == [True, True, True, False, False]


def test_messages_that_nobody_heard_of_are_sent_in_the_end(
    database: Database, books: Books, small: SmallJob, faults: Faults
) -> None:
    faults.at_next_commit(database, landed=True)
    # Marked, and not sent: as after a death between the two.
    assert ledger.mark_ahead(database, small.id, 2) == []
    for number in (0, 1):
        age(database, number, 400)
    assert numbers(resend(database, bulk=0)) == [0, 1]


def test_a_mark_that_did_not_land_is_made_again(
    database: Database, books: Books, small: SmallJob, faults: Faults
) -> None:
    faults.at_next_commit(database, landed=False)
    assert numbers(ledger.mark_ahead(database, small.id, 2)) == [0, 1]
