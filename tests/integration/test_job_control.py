"""A job is cancelled, resumed and retried, and its books are right after every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from job_books import recount

from pipeline import ledger, tables
from pipeline.errors import JobError
from pipeline.records import Counts, Failure, FailureCode, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Claim

NOTHING: dict[int, FailureCode] = {}


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


@pytest.fixture
def carry(database: Database, books: Books, small: SmallJob) -> Callable[..., bool]:
    """A function that claims the next chunk (or takes ``claim``) and finishes what is open."""

    def carry_one(failing: Mapping[int, FailureCode] = NOTHING, claim: Claim | None = None) -> bool:
        claim = claim or books.take(small.id)
        finished = {index for (index,) in books.rows(tables.outcomes, "index")}
        left = [i for i in range(claim.first, claim.last + 1) if i not in finished]
        outcomes = [
            Outcome(index, failure=Failure(failing[index], "bad"))
            if index in failing
            else books.classified([index])[0]
            for index in left
        ]
        return ledger.finish(database, claim, small.model, outcomes, books.made)

    return carry_one


def carry_all(database: Database, carry: Callable[..., bool], small: SmallJob) -> None:
    while ledger.seconds_to_next(database, small.id) is not None:
        assert carry()
    assert ledger.complete(database, small.id)


def look_at_job(books: Books) -> dict[str, Any]:
    return books.look(tables.jobs)


# ---------------------------------------------------------------- cancel
def test_a_cancelled_job_keeps_what_is_finished(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    carry({1: FailureCode.TRUNCATED})
    claim = books.take(small.id)
    books.change(tables.jobs, notice="a model is missing")
    waiting = books.look(tables.chunks, 2)
    assert ledger.cancel(database, small.id) == 6
    assert recount(database, small.id) == Counts(10, 3, 1, 6)
    job = look_at_job(books)
    assert (job["status"], job["reason"], job["notice"]) == ("cancelled", None, None)
    assert (job["succeeded"], job["failed"], job["cancelled"]) == (3, 1, 6)
    assert job["histogram"] == {"label 0": 3}
    running, queued = books.look(tables.chunks, 1), books.look(tables.chunks, 2)
    assert (running["state"], running["token"]) == ("cancelled", claim.token + 1)
    assert (queued["state"], queued["token"]) == ("cancelled", waiting["token"] + 1)
    assert books.look(tables.chunks, 0)["state"] == "done"


def test_what_is_in_work_when_its_job_is_cancelled_saves_nothing(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    claim = books.take(small.id)
    ledger.cancel(database, small.id)
    assert not carry(claim=claim)
    assert not ledger.give_back(database, claim)
    assert ledger.renew(database, [claim], 60) == 0
    assert books.count(tables.outcomes) == 0
    assert recount(database, small.id) == Counts(10, 0, 0, 10)


def test_nothing_of_a_cancelled_job_is_claimed_or_completed(
    database: Database, books: Books, small: SmallJob
) -> None:
    assert ledger.cancel(database, small.id) == 10
    assert ledger.claim_next(database, small.id, "test", 60) is None
    for _, number, token in books.rows(tables.chunks, "job_id", "number", "token"):
        assert ledger.claim(database, small.id, number, token, "test", 60)[0] is None
    assert not ledger.complete(database, small.id)
    assert look_at_job(books)["status"] == "cancelled"


def test_a_chunk_that_waits_for_its_retry_is_cancelled_in_part(
    database: Database, books: Books, small: SmallJob
) -> None:
    claim = books.take(small.id)
    done = books.classified([0, 1])
    ledger.finish(database, claim, small.model, done, books.made, retry_in_s=500)
    assert ledger.cancel(database, small.id) == 8
    assert books.look(tables.chunks, 0)["not_before"] is None
    assert recount(database, small.id) == Counts(10, 2, 0, 8)


@pytest.mark.parametrize("landed", [True, False])
def test_a_cancel_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    books.take(small.id)
    faults.at_next_commit(database, landed=landed)
    assert ledger.cancel(database, small.id) == 10
    assert books.rows(tables.chunks, "token") == [(2,), (1,), (1,)]
    assert recount(database, small.id) == Counts(10, 0, 0, 10)


# ---------------------------------------------------------------- resume
def test_a_resumed_job_goes_on_where_it_stopped(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    carry({1: FailureCode.TRUNCATED})
    late = books.take(small.id)
    ledger.cancel(database, small.id)
    books.change(tables.chunks, lost=3, solo=True, solo_lost=1, retries=2)
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    assert ledger.resume(database, small.id) == 6
    assert recount(database, small.id) == Counts(10, 3, 1, 0)
    job = look_at_job(books)
    assert (job["status"], job["reason"], job["finished_at"]) == ("running", None, None)
    assert all(job[name] is None for name in ("succeeded", "failed", "cancelled", "histogram"))
    for number in (1, 2):
        chunk = books.look(tables.chunks, number)
        assert (chunk["state"], chunk["token"]) == ("queued", tokens[number] + 1)
        counters = ("lost", "solo", "solo_lost", "retries")
        assert not any(chunk[name] for name in counters)
    assert not carry(claim=late)
    carry_all(database, carry, small)
    assert recount(database, small.id) == Counts(10, 9, 1, 0)


def test_a_resumed_job_is_sent_again(database: Database, books: Books, small: SmallJob) -> None:
    books.change(tables.jobs, dispatch="broker")
    assert len(ledger.mark_ahead(database, small.id, 8)) == 3
    ledger.cancel(database, small.id)
    assert ledger.mark_ahead(database, small.id, 8) == []
    ledger.resume(database, small.id)
    messages = ledger.mark_ahead(database, small.id, 8)
    assert [message.token for message in messages] == [2, 2, 2]


def test_a_job_that_never_began_begins_when_it_is_resumed(
    database: Database, books: Books, small: SmallJob
) -> None:
    ledger.cancel(database, small.id)
    assert look_at_job(books)["started_at"] is None
    ledger.resume(database, small.id)
    assert look_at_job(books)["started_at"] is not None


def test_a_resumed_job_keeps_its_limit_unless_that_stopped_it(
    database: Database, books: Books, small: SmallJob
) -> None:
    books.change(tables.jobs, max_failure_rate=0.5)
    ledger.cancel(database, small.id)
    ledger.resume(database, small.id)
    assert look_at_job(books)["max_failure_rate"] == 0.5
    ledger.cancel(database, small.id)
    books.change(tables.jobs, status="failed", reason="too many")
    ledger.resume(database, small.id)
    job = look_at_job(books)
    assert (job["max_failure_rate"], job["reason"]) == (None, None)


def test_a_resumed_job_with_nothing_left_is_completed(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    books.change(tables.jobs, max_failure_rate=0.0)
    for failing in ({1: FailureCode.TRUNCATED}, {}, {}):
        carry(failing)
    assert ledger.complete(database, small.id)
    assert look_at_job(books)["status"] == "failed"
    assert ledger.resume(database, small.id) == 0
    assert look_at_job(books)["status"] == "completed"
    assert recount(database, small.id) == Counts(10, 9, 1, 0)


@pytest.mark.parametrize("landed", [True, False])
def test_a_resume_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, small: SmallJob, faults: Faults, landed: bool
) -> None:
    ledger.cancel(database, small.id)
    faults.at_next_commit(database, landed=landed)
    assert ledger.resume(database, small.id) == 10
    assert books.rows(tables.chunks, "state", "token") == [("queued", 2)] * 3
    assert recount(database, small.id) == Counts(10, 0, 0, 0)


# ---------------------------------------------------------------- retry
@pytest.fixture
def failed(database: Database, small: SmallJob, carry: Callable[..., bool]) -> SmallJob:
    """The job, completed with failures in its first two chunks."""
    carry({0: FailureCode.TIMEOUT, 3: FailureCode.TRUNCATED})
    carry({4: FailureCode.TIMEOUT, 5: FailureCode.TIMEOUT})
    carry()
    assert ledger.complete(database, small.id)
    return small


def test_a_retry_runs_only_the_failures_of_its_codes(
    database: Database, books: Books, failed: SmallJob, carry: Callable[..., bool]
) -> None:
    books.change(tables.chunks, lost=1, solo=True, solo_lost=1, retries=3)
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    assert ledger.retry(database, failed.id, [FailureCode.TIMEOUT]) == 3
    assert recount(database, failed.id) == Counts(10, 6, 1, 0)
    job = look_at_job(books)
    assert (job["status"], job["finished_at"], job["histogram"]) == ("running", None, None)
    assert books.rows(tables.chunks, "state", "token", "failed") == [
        ("queued", tokens[0] + 1, 1),
        ("queued", tokens[1] + 1, 0),
        ("done", tokens[2], 0),
    ]
    chunk = books.look(tables.chunks, 0)
    assert not any(chunk[name] for name in ("lost", "solo", "solo_lost", "retries", "finished_at"))
    assert chunk["batch_sizes"] == [3, 1]
    assert (3,) in books.rows(tables.outcomes, "index")
    carry_all(database, carry, failed)
    assert recount(database, failed.id) == Counts(10, 9, 1, 0)


def test_a_retry_without_codes_runs_every_failure(
    database: Database, failed: SmallJob, carry: Callable[..., bool]
) -> None:
    assert ledger.retry(database, failed.id) == 4
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)
    carry_all(database, carry, failed)
    assert recount(database, failed.id) == Counts(10, 10, 0, 0)


@pytest.mark.parametrize("codes", [[FailureCode.HTTP_5XX], []])
def test_a_retry_of_nothing_changes_nothing(
    database: Database, books: Books, failed: SmallJob, codes: list[FailureCode]
) -> None:
    everything = (tables.jobs, tables.chunks, tables.outcomes)
    before = [books.rows(table) for table in everything]
    assert ledger.retry(database, failed.id, codes) == 0
    assert [books.rows(table) for table in everything] == before


def test_a_chunk_in_work_when_it_is_retried_saves_nothing(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    claim = books.take(small.id)
    part = books.failed([0])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    late = books.take(small.id)
    assert (late.number, books.look(tables.chunks, 0)["state"]) == (0, "running")
    assert ledger.retry(database, small.id, [FailureCode.NOT_FOUND]) == 1
    assert recount(database, small.id) == Counts(10, 0, 0, 0)
    assert not carry(claim=late)
    carry_all(database, carry, small)
    assert recount(database, small.id) == Counts(10, 10, 0, 0)


def test_the_failures_of_a_chunk_that_was_split_are_retried_where_they_are(
    database: Database, books: Books, small: SmallJob, carry: Callable[..., bool]
) -> None:
    books.change(tables.jobs, dispatch="broker")
    claim = books.take(small.id)
    part = books.failed([1, 2])
    ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
    for _ in range(2):
        books.take(small.id, lease_s=-1)
        ledger.expire_leases(database)
    assert [number for (number,) in books.rows(tables.chunks, "number")] == [1, 2, 3, 4, 5, 6]
    carry({5: FailureCode.NOT_FOUND})
    assert recount(database, small.id) == Counts(10, 3, 3, 0)
    assert ledger.retry(database, small.id, [FailureCode.NOT_FOUND]) == 3
    assert recount(database, small.id) == Counts(10, 3, 0, 0)
    states = {
        n: (state, t) for n, state, t in books.rows(tables.chunks, "number", "state", "token")
    }
    assert states[4] == states[5] == ("queued", 1)
    assert states[3] == ("queued", 0)
    carry_all(database, carry, small)


def test_the_retry_of_one_job_leaves_the_others(
    database: Database,
    books: Books,
    failed: SmallJob,
    submit_small: Callable[..., SmallJob],
) -> None:
    other = submit_small(database, images=4)
    bad = books.failed(range(4))
    ledger.finish(database, books.take(other.id), other.model, bad, books.made)
    assert ledger.retry(database, failed.id) == 4
    assert recount(database, other.id) == Counts(4, 0, 4, 0)
    assert ledger.retry(database, other.id) == 4
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)


def test_a_retry_takes_as_many_statements_however_many_images_failed(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    said: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    lengths = []
    for images in (4, 400):
        small = submit_small(database, images=images, chunk_size=2)
        while claim := ledger.claim_next(database, small.id, "test", 60):
            bad = books.failed(range(claim.first, claim.last + 1))
            ledger.finish(database, claim, small.model, bad, books.made)
        said.clear()
        assert ledger.retry(database, small.id) == images
        lengths.append(len(said))
        recount(database, small.id)
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("landed", [True, False])
def test_a_retry_whose_commit_is_unknown_is_made_once(
    database: Database, books: Books, failed: SmallJob, faults: Faults, landed: bool
) -> None:
    tokens = [token for (token,) in books.rows(tables.chunks, "token")]
    faults.at_next_commit(database, landed=landed)
    assert ledger.retry(database, failed.id) == 4
    again = [token for (token,) in books.rows(tables.chunks, "token")]
    assert again == [tokens[0] + 1, tokens[1] + 1, tokens[2]]
    assert recount(database, failed.id) == Counts(10, 6, 0, 0)


# ---------------------------------------------------------------- refusals
ACTIONS = {"cancel": ledger.cancel, "resume": ledger.resume, "retry": ledger.retry}


@pytest.mark.parametrize(
    ("action", "status", "sentence"),
    [
        ("cancel", "completed", "'one job' is completed, so there is nothing to cancel"),
        ("cancel", "cancelled", "'one job' is cancelled, so there is nothing to cancel"),
        ("cancel", "failed", "'one job' is failed, so there is nothing to cancel"),
        ("resume", "completed", "is completed; .* with `imagemill jobs retry 'one job'`"),
        ("resume", "running", "is running, .* see `imagemill jobs watch 'one job'`"),
        ("resume", "pending", "is pending, so there is nothing to resume"),
        ("retry", "cancelled", "is cancelled; .* with `imagemill jobs resume 'one job'` before"),
        ("retry", "failed", "is failed; .* with `imagemill jobs resume 'one job'` before"),
    ],
)
def test_what_a_job_cannot_do_now_is_refused_in_a_sentence(
    database: Database, books: Books, small: SmallJob, action: str, status: str, sentence: str
) -> None:
    books.change(tables.jobs, name="one job", status=status)
    before = [books.rows(table) for table in (tables.jobs, tables.chunks)]
    with pytest.raises(JobError, match=sentence):
        ACTIONS[action](database, small.id)
    assert [books.rows(table) for table in (tables.jobs, tables.chunks)] == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_that_is_not_whole_is_left_alone(
    database: Database, books: Books, small: SmallJob, action: str
) -> None:
    books.change(tables.jobs, submitted_at=None)
    with pytest.raises(JobError, match="is pending, not submitted whole yet; wait"):
        ACTIONS[action](database, small.id)
    books.change(tables.jobs, status="cancelled")
    with pytest.raises(JobError, match="deletion was interrupted; delete it again"):
        ACTIONS[action](database, small.id)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_that_is_gone_is_told_so(database: Database, action: str) -> None:
    with pytest.raises(JobError, match="job number 7 is gone"):
        ACTIONS[action](database, 7)
