"""Two steps in one job at once: each looks only under the job's lock, in either order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from job_books import recount

from pipeline import ledger, tables
from pipeline.errors import JobError
from pipeline.records import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database

    Race = Callable[[Callable[[], object], Callable[[], object]], tuple[object, object]]


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of eight images in chunks of four."""
    return submit_small(database, images=8, chunk_size=4)


@pytest.fixture
def finish(database: Database, books: Books, small: SmallJob) -> Callable[..., bool]:
    """A function that claims the next chunk and finishes it; every image of it fails or none."""

    def finish_one(failing: bool = False) -> bool:
        claim = books.take(small.id)
        indexes = range(claim.first, claim.last + 1)
        outcomes = books.failed(indexes) if failing else books.classified(indexes)
        return ledger.finish(database, claim, small.model, outcomes, books.made)

    return finish_one


def status(books: Books) -> str:
    return str(books.look(tables.jobs)["status"])


# ---------------------------------------------------------------- complete and cancel
def test_a_cancel_that_waited_for_a_completion_is_refused(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(), finish()
    completed, refused = race(
        partial(ledger.complete, database, small.id), partial(ledger.cancel, database, small.id)
    )
    assert completed is True
    assert isinstance(refused, JobError)
    assert status(books) == "completed"
    assert recount(database, small.id) == Counts(8, 8)


def test_a_completion_that_waited_for_a_cancel_does_nothing(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(), finish()
    cancelled, completed = race(
        partial(ledger.cancel, database, small.id), partial(ledger.complete, database, small.id)
    )
    assert (cancelled, completed) == (0, False)
    assert status(books) == "cancelled"
    assert recount(database, small.id) == Counts(8, 8)


# ---------------------------------------------------------------- complete and retry
def test_a_retry_that_waited_for_a_completion_opens_the_job_again(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True), finish()
    answers = race(
        partial(ledger.complete, database, small.id), partial(ledger.retry, database, small.id)
    )
    assert answers == (True, 4)
    assert status(books) == "running"
    assert recount(database, small.id) == Counts(8, 4)


def test_a_completion_that_waited_for_a_retry_finds_an_open_chunk(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True), finish()
    answers = race(
        partial(ledger.retry, database, small.id), partial(ledger.complete, database, small.id)
    )
    assert answers == (4, False)
    assert status(books) == "running"
    assert recount(database, small.id) == Counts(8, 4)


# ---------------------------------------------------------------- cancel and retry
def test_a_retry_that_waited_for_a_cancel_is_refused(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True)
    cancelled, refused = race(
        partial(ledger.cancel, database, small.id), partial(ledger.retry, database, small.id)
    )
    assert cancelled == 4
    assert isinstance(refused, JobError)
    assert recount(database, small.id) == Counts(8, 0, 4, 4)


def test_a_cancel_that_waited_for_a_retry_takes_what_it_opened(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True)
    answers = race(
        partial(ledger.retry, database, small.id), partial(ledger.cancel, database, small.id)
    )
    assert answers == (4, 8)
    assert recount(database, small.id) == Counts(8, 0, 0, 8)


def test_two_retries_open_every_image_once(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True), finish(failing=True)
    again = partial(ledger.retry, database, small.id)
    assert race(again, again) == (8, 0)
    assert recount(database, small.id) == Counts(8)


# ---------------------------------------------------------------- finish and the others
@pytest.fixture
def half_done(database: Database, books: Books, small: SmallJob) -> Callable[[], bool]:
    """The finish of a chunk that is running, and has a failure from an earlier round."""
    claim = books.take(small.id)
    bad = books.failed([0])
    ledger.finish(database, claim, small.model, bad, books.made, retry_in_s=0)
    claim = books.take(small.id)
    rest = [*books.failed([1]), *books.classified([2, 3])]
    return partial(ledger.finish, database, claim, small.model, rest, books.made)


def test_a_retry_that_waited_for_a_finish_opens_what_it_saw(
    database: Database, books: Books, small: SmallJob, half_done: Callable[[], bool], race: Race
) -> None:
    answers = race(half_done, partial(ledger.retry, database, small.id))
    seen = 2 if database.dialect == "sqlite" else 1  # SQLite waits before it looks at all.
    assert answers == (True, seen)
    assert recount(database, small.id) == Counts(8, 2, 2 - seen)
    assert books.look(tables.chunks, 0)["state"] == "queued"


def test_a_finish_that_waited_for_a_retry_writes_nothing(
    database: Database, books: Books, small: SmallJob, half_done: Callable[[], bool], race: Race
) -> None:
    assert race(partial(ledger.retry, database, small.id), half_done) == (1, False)
    assert recount(database, small.id) == Counts(8)


def test_a_retry_counts_no_failure_that_a_finish_adds_elsewhere(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish(failing=True)
    claim = books.take(small.id)
    bad = books.failed(range(4, 8))
    late = partial(ledger.finish, database, claim, small.model, bad, books.made)
    answers = race(late, partial(ledger.retry, database, small.id))
    seen = 8 if database.dialect == "sqlite" else 4
    assert answers == (True, seen)
    assert recount(database, small.id) == Counts(8, 0, 8 - seen)


def test_a_cancel_that_waited_for_a_finish_keeps_it(
    database: Database, books: Books, small: SmallJob, half_done: Callable[[], bool], race: Race
) -> None:
    assert race(half_done, partial(ledger.cancel, database, small.id)) == (True, 4)
    assert recount(database, small.id) == Counts(8, 2, 2, 4)


def test_a_finish_that_waited_for_a_cancel_writes_nothing(
    database: Database, books: Books, small: SmallJob, half_done: Callable[[], bool], race: Race
) -> None:
    assert race(partial(ledger.cancel, database, small.id), half_done) == (7, False)
    assert recount(database, small.id) == Counts(8, 0, 1, 7)


# ---------------------------------------------------------------- resume and cancel
def test_a_cancel_that_waited_for_a_resume_cancels_again(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    ledger.cancel(database, small.id)
    answers = race(
        partial(ledger.resume, database, small.id), partial(ledger.cancel, database, small.id)
    )
    assert answers == (8, 8)
    assert status(books) == "cancelled"
    assert recount(database, small.id) == Counts(8, 0, 0, 8)


def test_a_resume_that_waited_for_a_cancel_lets_the_job_go_on(
    database: Database, books: Books, small: SmallJob, race: Race
) -> None:
    answers = race(
        partial(ledger.cancel, database, small.id), partial(ledger.resume, database, small.id)
    )
    assert answers == (8, 8)
    assert status(books) == "running"
    assert recount(database, small.id) == Counts(8)


def test_a_claim_that_waited_for_a_cancel_gets_nothing(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    finish()
    claiming = partial(ledger.claim, database, small.id, 1, 0, "test", 60)
    answers = race(partial(ledger.cancel, database, small.id), claiming)
    assert answers == (4, (None, []))
    assert recount(database, small.id) == Counts(8, 4, 0, 4)


# ---------------------------------------------------------------- the failure budget
def test_a_stop_that_waited_for_a_retry_judges_anew(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    books.change(tables.jobs, max_failure_rate=0.5)
    finish(failing=True), finish(failing=True)
    answers = race(
        partial(ledger.retry, database, small.id),
        partial(ledger.enforce_budget, database, small.id),
    )
    assert answers == (8, False)
    assert status(books) == "running"
    assert recount(database, small.id) == Counts(8)


def test_a_cancel_that_waited_for_a_stop_is_refused(
    database: Database, books: Books, small: SmallJob, finish: Callable[..., bool], race: Race
) -> None:
    books.change(tables.jobs, max_failure_rate=0.5)
    finish(failing=True), finish(failing=True)
    stopped, refused = race(
        partial(ledger.enforce_budget, database, small.id),
        partial(ledger.cancel, database, small.id),
    )
    assert stopped is True
    assert isinstance(refused, JobError)
    assert status(books) == "failed"


# ---------------------------------------------------------------- everybody at once
def test_a_storm_of_users_and_workers_keeps_the_books(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=40, chunk_size=4)
    worker, user = partial(work, database, books, small), partial(command, database, small)
    with ThreadPoolExecutor(5) as pool:
        acts = [pool.submit(worker, n) for n in range(3)] + [pool.submit(user, n) for n in (7, 8)]
        for act in acts:
            act.result(60)
    recount(database, small.id)
    if status(books) == "cancelled":
        ledger.resume(database, small.id)
    worker(9)
    assert status(books) == "completed"
    assert recount(database, small.id).pending == 0


def work(database: Database, books: Books, small: SmallJob, number: int) -> None:
    """Claim and finish; some images fail."""
    chance = random.Random(number)
    for _ in range(25):
        claim = ledger.claim_next(database, small.id, f"{number}", 60)
        if claim is not None:
            finished = {index for (index,) in books.rows(tables.outcomes, "index")}
            left = [i for i in range(claim.first, claim.last + 1) if i not in finished]
            cut = chance.randrange(len(left) + 1)
            outcomes = [*books.failed(left[:cut]), *books.classified(left[cut:])]
            ledger.finish(database, claim, small.model, outcomes, books.made)
        ledger.complete(database, small.id)


def command(database: Database, small: SmallJob, number: int) -> None:
    """Cancel, resume and retry, whatever the job says to it."""
    chance = random.Random(number)
    for _ in range(15):
        act = chance.choice([ledger.cancel, ledger.resume, ledger.resume, ledger.retry])
        with suppress(JobError):
            act(database, small.id)
