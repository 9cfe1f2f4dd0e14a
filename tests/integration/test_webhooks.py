"""Whoever asked is told of a job's end, at least once and as a rule once, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from crowd import at_once
from receiver import Receiver, receiving

import workers.webhooks
from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.config import Settings
from pipeline.errors import JobError, UsageError
from pipeline.queries.jobs import get_job_by_number
from pipeline.storage.deletion import delete_job
from pipeline.webhooks import delivery
from pipeline.webhooks.asking import ask, check_webhook, list_doubts
from pipeline.webhooks.rows import find_webhook
from workers.watch.vitals import Vitals
from workers.webhooks import Webhooks

if TYPE_CHECKING:
    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database

SECRET = "a secret of ours"


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four, by the name of holiday."""
    return submit_small(database, images=10, chunk_size=4, name="holiday")


def sender(database: Database, receiver: Receiver, **settings: Any) -> Webhooks:
    """Return a worker's webhooks; they may connect to the receiver."""
    allowed = {"allow_private_hosts": "127.0.0.1", "allow_ports": str(receiver.port)}
    given: dict[str, Any] = {**allowed, "webhook_secret": SECRET, **settings}
    return Webhooks(database, Settings(**given), Vitals())


def look(books: Books) -> tuple[str, int, str | None]:
    """Return the state, the attempts and the reason of the only webhook."""
    row = books.look(tables.webhooks)
    return row["state"], row["attempts"], row["reason"]


def finish(database: Database, books: Books, small: SmallJob) -> None:
    for _ in range(3):
        claim = books.take(small.id)
        found = books.classified(range(claim.first, claim.last))
        found += books.failed([claim.last])
        assert ledger.finish(database, claim, small.model, found, books.made)
    assert ledger.complete(database, small.id)


def test_the_end_of_a_job_is_told_once_and_signed(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(204) as receiver:
        ask(database, small.id, receiver.url)
        webhooks = sender(database, receiver)
        assert webhooks.send() == 0
        finish(database, books, small)
        assert webhooks.send() == 1
        assert webhooks.send() == 0
    [request] = receiver.requests
    with database.reading() as connection:
        job = get_job_by_number(connection, small.id)
    assert job.finished_at is not None
    assert request.path == "/done?key=secret"
    assert request.headers["Imagemill-Event"] == "job.completed"
    assert request.headers["User-Agent"].startswith("imagemill/")
    assert json.loads(request.body) == {
        "event": "job.completed",
        "job": job.public_id,
        "name": "holiday",
        "status": "completed",
        "reason": None,
        "counts": {"total": 10, "succeeded": 7, "failed": 3, "cancelled": 0, "pending": 0},
        "finished_at": job.finished_at.isoformat(),
        "attempt": 1,
    }
    moment, _, signature = request.headers["Imagemill-Signature"].partition(",v1=")
    signed = moment.removeprefix("t=").encode() + b"." + request.body
    assert signature == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert look(books) == ("delivered", 1, None)
    assert books.look(tables.webhooks)["delivered_at"] >= job.finished_at


def test_without_a_secret_there_is_no_signature(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        assert sender(database, receiver, webhook_secret=None).send() == 1
    [request] = receiver.requests
    assert request.headers["Imagemill-Event"] == "job.cancelled"
    assert "Imagemill-Signature" not in request.headers


def test_a_failure_is_tried_again_after_its_wait(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(500, 200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        webhooks = sender(database, receiver)
        assert webhooks.send() == 1
        assert look(books) == ("waiting", 1, "the host answered with status 500")
        assert webhooks.send() == 0
        books.change(tables.webhooks, next_at=from_now(-1))
        assert webhooks.send() == 1
    assert [json.loads(one.body)["attempt"] for one in receiver.requests] == [1, 2]
    assert look(books) == ("delivered", 2, None)


def test_the_waits_grow_from_ten_seconds_to_an_hour() -> None:
    for attempt, expected_s in ((1, 10), (2, 20), (6, 320), (9, 2560), (10, 3600), (12, 3600)):
        assert 0.8 * expected_s <= delivery.find_wait_s(attempt) <= 1.2 * expected_s


def test_a_webhook_is_given_up_after_its_last_try(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(404) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        webhooks = sender(database, receiver)
        for _ in range(delivery.ATTEMPTS):
            books.change(tables.webhooks, next_at=from_now(-1))
            assert webhooks.send() == 1
        assert webhooks.send() == 0
    assert look(books) == ("failed", 12, "the host answered with status 404")
    assert len(receiver.requests) == 12


def test_a_host_that_never_answers_is_left(
    database: Database, books: Books, small: SmallJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.webhooks, "_TRY_S", 0.3)
    with receiving(0) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        assert sender(database, receiver).send() == 1
        assert look(books) == ("waiting", 1, "the host does not answer in time")


def test_redirects_are_not_followed(database: Database, books: Books, small: SmallJob) -> None:
    with receiving(307) as receiver:
        receiver.location = receiver.url
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        assert sender(database, receiver).send() == 1
    assert len(receiver.requests) == 1
    expected = "the host answered with status 307, and redirects are not followed"
    assert look(books) == ("waiting", 1, expected)


@pytest.mark.parametrize("settings", [{"allow_private_hosts": ""}, {"allow_ports": ""}])
def test_an_address_that_the_worker_blocks_is_never_connected_to(
    database: Database, books: Books, small: SmallJob, settings: dict[str, str]
) -> None:
    with receiving(200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        assert sender(database, receiver, **settings).send() == 1
    assert receiver.requests == []
    state, attempts, reason = look(books)
    assert (state, attempts) == ("waiting", 1)
    assert reason is not None
    assert "may not be connected to" in reason
    assert "secret" not in reason


def test_two_workers_tell_once(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    with receiving(200) as receiver:
        for _ in range(8):
            job_id = submit_small(database, 1).id
            ask(database, job_id, receiver.url)
            ledger.cancel(database, job_id)
        both = [sender(database, receiver) for _ in range(2)]
        assert sum(at_once(*(one.send for one in both))) == 8
    assert len({json.loads(one.body)["job"] for one in receiver.requests}) == 8
    assert len(receiver.requests) == 8


def test_a_worker_that_dies_in_a_try_leaves_it_to_another(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        assert delivery.begin(database, small.id)
        webhooks = sender(database, receiver)
        assert webhooks.send() == 0
        books.change(tables.webhooks, next_at=from_now(-1))
        assert webhooks.send() == 1
    assert look(books) == ("delivered", 2, None)


def test_a_job_that_goes_on_tells_of_its_next_end(
    database: Database, books: Books, small: SmallJob
) -> None:
    with receiving(200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        webhooks = sender(database, receiver)
        assert webhooks.send() == 1
        ledger.resume(database, small.id)
        assert look(books) == ("waiting", 0, None)
        assert webhooks.send() == 0
        finish(database, books, small)
        assert webhooks.send() == 1
        assert ledger.retry(database, small.id) == 3
        assert webhooks.send() == 0
        ledger.cancel(database, small.id)
        assert webhooks.send() == 1
    events = [json.loads(one.body)["event"] for one in receiver.requests]
    assert events == ["job.cancelled", "job.completed", "job.cancelled"]


def test_the_answer_about_an_end_says_nothing_of_the_next(
    database: Database, books: Books, small: SmallJob
) -> None:
    ask(database, small.id, "https://example.com/")
    ledger.cancel(database, small.id)
    told = delivery.begin(database, small.id)
    assert told
    ledger.resume(database, small.id)
    assert not delivery.record(database, told, None)
    ledger.cancel(database, small.id)
    again = delivery.begin(database, small.id)
    assert again
    assert not delivery.record(database, told, None)
    assert look(books) == ("waiting", 1, None)
    assert delivery.record(database, again, "no")


@pytest.mark.parametrize("landed", [True, False])
def test_a_try_whose_beginning_is_unknown_is_made_once_and_perhaps_late(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    with receiving(200) as receiver:
        ask(database, small.id, receiver.url)
        ledger.cancel(database, small.id)
        faults.at_next_commit(database, landed=landed)
        assert sender(database, receiver).send() == (0 if landed else 1)
        books.change(tables.webhooks, next_at=from_now(-1))
        sender(database, receiver).send()
    assert len(receiver.requests) == 1
    assert look(books)[0] == "delivered"


def test_a_deleted_job_takes_its_webhook_with_it(
    database: Database, books: Books, small: SmallJob
) -> None:
    ask(database, small.id, "https://example.com/")
    delete_job(database, small.id)
    assert books.count(tables.webhooks) == 0


def test_a_job_that_is_being_deleted_tells_nobody(
    database: Database, books: Books, small: SmallJob
) -> None:
    ask(database, small.id, "https://example.com/")
    ledger.cancel(database, small.id)
    books.change(tables.jobs, submitted_at=None)
    assert delivery.list_due(database, 10) == []
    assert delivery.begin(database, small.id) is None


def test_the_same_name_tells_one_address(database: Database, small: SmallJob) -> None:
    for _ in range(2):
        ask(database, small.id, "https://example.com/a?key=secret")
    with pytest.raises(JobError, match="another --webhook is told") as caught:
        ask(database, small.id, "https://example.com/b")
    assert "secret" not in str(caught.value)
    with database.reading() as connection:
        webhook = find_webhook(connection, small.id)
    assert webhook
    assert webhook.url == "https://example.com/a?key=secret"


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com/", "https://me:pw@example.com/", "https://\udcff/"],
)
def test_what_is_no_web_address_is_refused_before_there_is_a_job(url: str) -> None:
    with pytest.raises(UsageError, match="--webhook takes an address") as caught:
        check_webhook(url, Settings())
    assert "pw" not in str(caught.value)


def test_a_user_hears_what_may_come_of_a_webhook() -> None:
    assert list_doubts("https://example.com/", Settings(webhook_secret="x")) == []
    blocked, unsigned = list_doubts("http://127.0.0.1/", Settings())
    assert "the workers may refuse to send the webhook" in blocked
    assert "not signed" in unsigned
