"""Few chunks of a job wait in the broker, none is forgotten there, and each message fits."""

from __future__ import annotations

import queue
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from crowd import at_once

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.records import ImageRef, JobStatus, Message, Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Claim

_EMPTY = dict.fromkeys(Priority, 0)


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of the cluster: 20 images in five chunks of four."""
    job = submit_small(database, images=20, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    return job


def numbers(messages: list[Message]) -> list[int]:
    return [message.number for message in messages]


def list_sent(books: Books) -> list[int]:
    rows = books.rows(tables.chunks, "number", "state", "sent_at")
    return [number for number, state, sent in rows if state == "queued" and sent]


def claim_by(database: Database, message: Message) -> tuple[Claim | None, list[Message]]:
    key = (message.job_id, message.number, message.token)
    return ledger.claim(database, *key, "test", 60)


def change_chunk(database: Database, number: int, **values: Any) -> None:
    mine = tables.chunks.c.number == number
    with database.transaction() as connection:
        connection.execute(sa.update(tables.chunks).where(mine).values(values))


# ---------------------------------------------------------------- ahead
def test_the_first_chunks_are_sent_until_enough_wait(
    database: Database, books: Books, small: SmallJob
) -> None:
    messages = ledger.mark_ahead(database, small.id, 3)
    assert numbers(messages) == list_sent(books) == [0, 1, 2]
    images = tuple(ImageRef(n, f"/pictures/{n}.jpg") for n in range(4, 8))
    assert messages[1] == Message(small.id, 1, 0, False, images, Priority.BULK)
    assert ledger.mark_ahead(database, small.id, 3) == []
    assert numbers(ledger.mark_ahead(database, small.id, 4)) == [3]
    assert numbers(ledger.mark_ahead(database, small.id, 99)) == [4]


def test_whoever_claims_a_chunk_sends_the_next_one(
    database: Database, books: Books, small: SmallJob
) -> None:
    waiting = ledger.mark_ahead(database, small.id, 2)
    for expected in ([2], [3], [4], [], []):
        claim, following = claim_by(database, waiting.pop(0))
        assert claim is not None
        assert numbers(following) == expected
        waiting += following
    assert list_sent(books) == []


def test_a_claim_that_comes_too_late_sends_nothing(
    database: Database, books: Books, small: SmallJob
) -> None:
    [message] = ledger.mark_ahead(database, small.id, 1)
    assert claim_by(database, message)[0] is not None
    assert claim_by(database, message) == (None, [])
    assert list_sent(books) == [1]


def test_a_chunk_that_did_not_count_as_waiting_makes_no_room_for_another(
    database: Database, books: Books, small: SmallJob
) -> None:
    # The broker took it, and the sender heard that it did not.
    [_, uncertain] = ledger.mark_ahead(database, small.id, 2)
    ledger.unmark(database, [uncertain])
    change_chunk(database, 2, sent_at=from_now())
    claim, following = claim_by(database, uncertain)
    assert claim is not None
    assert following == []
    assert list_sent(books) == [0, 2]


def test_never_more_wait_than_allowed_however_many_top_up_and_claim(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=24, chunk_size=1)
    books.change(tables.jobs, dispatch="broker")
    broker: queue.Queue[Message] = queue.Queue()
    claimed: list[int] = []
    deadline = time.monotonic() + 20

    def send(messages: list[Message]) -> None:
        assert len(list_sent(books)) <= 3
        for message in messages:
            broker.put(message)

    def top_up() -> None:
        while len(claimed) < 24 and time.monotonic() < deadline:
            send(ledger.mark_ahead(database, small.id, 3))

    def carry() -> None:
        while len(claimed) < 24 and time.monotonic() < deadline:
            with suppress(queue.Empty):
                claim, following = claim_by(database, broker.get(timeout=0.01))
                assert claim is not None, "a chunk was sent twice"
                claimed.append(claim.number)
                send(following)

    at_once(*(top_up,) * 4, *(carry,) * 4)
    assert sorted(claimed) == list(range(24))
    assert broker.empty()


def test_a_chunk_is_not_sent_before_its_time(
    database: Database, books: Books, small: SmallJob
) -> None:
    [first, _] = ledger.mark_ahead(database, small.id, 2)
    change_chunk(database, 2, not_before=from_now(300))
    change_chunk(database, 3, not_before=from_now(-1))
    assert numbers(claim_by(database, first)[1]) == [3]
    assert numbers(ledger.mark_ahead(database, small.id, 9)) == [4]
    assert ledger.list_unsent_jobs(database) == []
    change_chunk(database, 2, not_before=from_now(-1))
    assert ledger.list_unsent_jobs(database) == [small.id]
    assert numbers(ledger.mark_ahead(database, small.id, 9)) == [2]


@pytest.mark.parametrize(
    "why", [{"dispatch": "local"}, {"submitted_at": None}, *({"status": s} for s in JobStatus)]
)
def test_only_what_the_cluster_is_to_do_now_is_sent(
    database: Database, books: Books, small: SmallJob, why: dict[str, Any]
) -> None:
    books.change(tables.chunks, sent_at=from_now(-500))
    change_chunk(database, 4, sent_at=None)
    books.change(tables.jobs, **why)
    sends = why.get("status") in ("pending", "running")
    assert ledger.list_unsent_jobs(database) == [small.id] * sends
    assert len(ledger.mark_overdue(database, _EMPTY, 300)) == 4 * sends
    assert len(ledger.mark_ahead(database, small.id, 8)) == 1 * sends


def test_nothing_of_a_job_that_is_gone_is_sent(database: Database) -> None:
    assert ledger.mark_ahead(database, 999, 8) == []


# ---------------------------------------------------------------- what a message says
def test_a_message_carries_what_is_open_under_the_token_of_now(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, priority="high")
    [message] = ledger.mark_ahead(database, small.id, 1)
    claim, [other] = claim_by(database, message)
    assert claim is not None
    part = books.classified([0, 2])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    change_chunk(database, 0, solo=True)
    [again] = ledger.mark_ahead(database, small.id, 2)
    images = (ImageRef(1, "/pictures/1.jpg"), ImageRef(3, "/pictures/3.jpg"))
    assert again == Message(small.id, 0, claim.token + 1, True, images, Priority.HIGH)
    assert other.priority == Priority.HIGH
    claim, _ = claim_by(database, again)
    assert claim is not None
    rest = books.classified([1, 3])
    assert ledger.finish(database, claim, small.model, rest, books.made)


# ---------------------------------------------------------------- taken back
def test_what_the_broker_did_not_take_is_sent_later(
    database: Database, books: Books, small: SmallJob
) -> None:
    messages = ledger.mark_ahead(database, small.id, 3)
    ledger.unmark(database, messages[1:])
    assert list_sent(books) == [0]
    assert ledger.list_unsent_jobs(database) == [small.id]
    assert ledger.mark_ahead(database, small.id, 3) == messages[1:]


def test_what_has_gone_on_since_is_not_taken_back(
    database: Database, books: Books, small: SmallJob
) -> None:
    messages = ledger.mark_ahead(database, small.id, 3)
    claim, _ = claim_by(database, messages[0])
    assert claim is not None
    ledger.give_back(database, claim)
    [again] = claim_by(database, messages[1])[1]
    assert (again.number, again.token) == (0, 2)
    ledger.unmark(database, messages[:2])
    ledger.unmark(database, [])
    assert list_sent(books) == [0, 2, 3]
