"""Two at once, late, or after a commit that nobody heard of: the fence and the lock hold."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from pipeline import ledger, tables
from pipeline.ledger import completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Claim


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Return what ``count`` threads got that started together."""
    start = threading.Barrier(count)

    def run(number: int) -> object:
        start.wait(20)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_one_chunk_goes_to_one_of_many(
    database: Database, submit_small: Callable[..., SmallJob]
) -> None:
    for _ in range(5):
        job = submit_small(database, images=4).id
        claims = at_once(4, partial(_claim_next, database, job))
        assert sum(claim is not None for claim in claims) == 1
        job = submit_small(database, images=4).id
        claims = at_once(4, partial(_claim_first, database, job))
        assert sum(claim is not None for claim in claims) == 1


def _claim_next(database: Database, job_id: int, worker: int) -> Claim | None:
    return ledger.claim_next(database, job_id, str(worker), 60)


def _claim_first(database: Database, job_id: int, worker: int) -> Claim | None:
    return ledger.claim(database, job_id, 0, 0, str(worker), 60)[0]


def test_many_get_different_chunks(
    database: Database, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=16, chunk_size=2)
    claims = at_once(8, lambda n: ledger.claim_next(database, small.id, f"{n}", 60))
    assert {claim.number for claim in claims} == set(range(8))  # type: ignore[attr-defined]


def test_one_finish_of_many_counts(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=4)
    claim = books.take(small.id)
    outcomes = books.classified(range(4))
    answers = at_once(
        4, lambda _: ledger.finish(database, claim, small.model, outcomes, books.made)
    )
    assert sorted(map(bool, answers)) == [False, False, False, True]
    assert books.count(tables.outcomes) == 4


def test_a_dead_run_that_was_not_dead_writes_nothing(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=4)
    late = books.take(small.id)
    assert ledger.free_leases(database, small.id) == 1
    claim = books.take(small.id)
    wrong, right = books.classified(range(4), label=1), books.classified(range(4), label=2)
    assert not ledger.finish(database, late, small.model, wrong, books.made)
    assert ledger.finish(database, claim, small.model, right, books.made)
    assert not ledger.finish(database, late, small.model, wrong, books.made)
    assert ledger.complete(database, small.id)
    assert books.look(tables.jobs)["histogram"] == {"label 2": 4}


# ---------------------------------------------------------------- commits of unknown outcome
@pytest.mark.parametrize("landed", [True, False])
def test_a_finish_whose_commit_is_unknown_is_written_once(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    faults: Faults,
    landed: bool,
) -> None:
    small = submit_small(database, images=4)
    claim = books.take(small.id)
    faults.at_next_commit(database, landed=landed)
    outcomes = books.classified(range(4))
    assert ledger.finish(database, claim, small.model, outcomes, books.made) is not landed
    assert books.look(tables.chunks, 0)["state"] == "done"
    assert books.count(tables.outcomes) == 4
    assert books.count(tables.predictions) == 8


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("way", ["next", "message"])
def test_a_claim_whose_commit_is_unknown_is_not_lost(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    faults: Faults,
    landed: bool,
    way: str,
) -> None:
    small = submit_small(database, images=8)
    faults.at_next_commit(database, landed=landed)
    if way == "next":
        claim = ledger.claim_next(database, small.id, "test", 60)
    else:
        claim = ledger.claim(database, small.id, 0, 0, "test", 60)[0]
    assert claim is not None
    assert (claim.number, claim.token) == (0, 1)
    assert books.rows(tables.chunks, "state") == [("running",), ("queued",)]
    outcomes = books.classified(range(4))
    assert ledger.finish(database, claim, small.model, outcomes, books.made)


@pytest.mark.parametrize("landed", [True, False])
def test_a_completion_whose_commit_is_unknown_is_made_once(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    faults: Faults,
    landed: bool,
) -> None:
    small = submit_small(database, images=4)
    ledger.finish(
        database, books.take(small.id), small.model, books.classified(range(4)), books.made
    )
    faults.at_next_commit(database, landed=landed)
    assert ledger.complete(database, small.id) is not landed
    job = books.look(tables.jobs)
    assert (job["status"], job["succeeded"]) == ("completed", 4)


# ---------------------------------------------------------------- the job's lock
def test_a_completion_looks_only_after_it_has_the_lock(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = submit_small(database, images=4)
    ledger.finish(
        database, books.take(small.id), small.model, books.classified(range(4)), books.made
    )
    looked, look = threading.Event(), completion._has_open_chunk

    def look_and_tell(connection: sa.Connection, job_id: int) -> bool:
        answer = look(connection, job_id)
        looked.set()
        return answer

    monkeypatch.setattr(completion, "_has_open_chunk", look_and_tell)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as holder:
            # What a retry will do: under the job's lock a chunk goes back to the queue.
            job = tables.jobs
            holder.execute(sa.select(job.c.id).where(job.c.id == small.id).with_for_update())
            answer = pool.submit(ledger.complete, database, small.id)
            assert looked.wait(20)
            holder.execute(sa.update(tables.chunks).values(state="queued"))
            holder.execute(sa.update(job).values(status="running"))
        assert answer.result(60) is False
    assert books.look(job)["status"] == "running"


def test_a_storm_of_workers_ends_with_balanced_books(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, images=40, chunk_size=2)
    completions: list[bool] = []

    def work_off(claim: Claim, chance: random.Random) -> None:
        what, open_images = chance.random(), open_of(books, claim)
        if what < 0.3:
            ledger.give_back(database, claim)
        elif what < 0.5 and len(open_images) > 1:
            part = books.failed(open_images[:1])
            ledger.finish(database, claim, small.model, part, books.made, retry_in_s=0)
        else:
            outcomes = books.classified(open_images)
            assert ledger.finish(database, claim, small.model, outcomes, books.made)
        assert not ledger.give_back(database, claim)

    def worker(number: int) -> None:
        chance = random.Random(number)
        while (claim := ledger.claim_next(database, small.id, f"{number}", 60)) is not None:
            work_off(claim, chance)
            completions.append(ledger.complete(database, small.id))

    while not any(completions):
        at_once(4, worker)
    assert sum(completions) == 1
    job = books.look(tables.jobs)
    assert (job["status"], job["cancelled"]) == ("completed", 0)
    assert job["succeeded"] + job["failed"] == 40
    assert books.count(tables.outcomes) == 40
    assert job["histogram"] == {"label 0": job["succeeded"]}


def open_of(books: Books, claim: Claim) -> list[int]:
    finished = {index for (index,) in books.rows(tables.outcomes, "index")}
    return [index for index in range(claim.first, claim.last + 1) if index not in finished]
