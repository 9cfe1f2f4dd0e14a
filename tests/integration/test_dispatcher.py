"""The dispatcher: a real Redis and both databases; what is not sent is not marked as sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipeline import tables
from pipeline.broker import Broker
from pipeline.database.database import Database
from pipeline.dispatcher import Dispatcher
from pipeline.errors import BrokerError
from pipeline.records import Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books


@pytest.fixture
def broker(redis_url: str) -> Iterator[Broker]:
    opened = Broker(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def job(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """Ten chunks of a broker's job."""
    small = submit_small(database, images=40, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    return small


def test_only_so_many_messages_of_a_job_wait(
    database: Database, broker: Broker, job: SmallJob, books: Books
) -> None:
    dispatcher = Dispatcher(database, broker, send_ahead=3)
    assert dispatcher.top_up(job.id) == 3
    assert dispatcher.top_up(job.id) == 0
    assert broker.length(Priority.BULK) == 3
    sent = [number for number, at in books.rows(tables.chunks, "number", "sent_at") if at]
    assert sent == [0, 1, 2]


def test_a_broker_that_is_away_leaves_nothing_marked(
    database: Database, job: SmallJob, books: Books
) -> None:
    gone = Broker("redis://127.0.0.1:1/0")
    dispatcher = Dispatcher(database, gone, send_ahead=3)
    with pytest.raises(BrokerError):
        dispatcher.top_up(job.id)
    assert {at for (at,) in books.rows(tables.chunks, "sent_at")} == {None}
    dispatcher.try_to_top_up(job.id)
    gone.close()


def test_a_local_job_is_not_sent(
    database: Database, broker: Broker, job: SmallJob, books: Books
) -> None:
    books.change(tables.jobs, dispatch="local")
    assert Dispatcher(database, broker, send_ahead=3).top_up(job.id) == 0
    assert broker.length(Priority.BULK) == 0
