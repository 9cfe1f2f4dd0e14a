"""A job is watched until it ends, also over a database that is away for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from waiting import wait_for

from pipeline import ledger, watching
from pipeline.database.database import open_database
from pipeline.errors import DatabaseError, JobError
from pipeline.records import Job, JobStatus
from pipeline.watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books
    from postgres_server import PostgresServer

    from pipeline.database.database import Database


def test_a_job_is_told_of_until_it_ends(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small, heard = submit_small(database, images=4), list[Job]()

    def work(job: Job) -> None:
        heard.append(job)
        if job.status is JobStatus.PENDING:
            claim, outcomes = books.take(small.id), books.classified(range(4))
            ledger.finish(database, claim, small.model, outcomes, books.made)
        else:
            ledger.complete(database, small.id)

    ended = watch(database, small.id, work)
    assert ended == heard[-1]
    assert [job.status for job in heard] == ["pending", "running", "completed"]
    assert [job.counts.succeeded for job in heard] == [0, 4, 4]
    assert watch(database, small.id, heard.append) == ended
    assert len(heard) == 4


def test_a_job_that_is_gone_ends_the_watch(database: Database) -> None:
    with pytest.raises(JobError, match="job number 7 is gone"):
        watch(database, 7, lambda _: None)


def test_a_database_that_restarts_is_waited_for(
    own_postgres: PostgresServer, submit_small: Callable[..., SmallJob]
) -> None:
    database = open_database(own_postgres.url)
    small, heard = submit_small(database), list[Job]()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(watch, database, small.id, heard.append)
        wait_for(lambda: heard, 20, "the first look")
        own_postgres.stop()
        told = len(heard)
        own_postgres.start()
        wait_for(lambda: len(heard) > told, 20, "a look after the restart")
        ledger.cancel(database, small.id)
        assert ended.result(20).status is JobStatus.CANCELLED
    database.close()


def test_a_database_that_stays_away_ends_the_watch(
    database: Database, submit_small: Callable[..., SmallJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, now, looks = submit_small(database), [0.0], [0]

    def sleep(seconds: float) -> None:
        now[0] += max(seconds, 60)

    def away(*_: object) -> Job:
        looks[0] += 1
        if looks[0] == 8:
            return read(database, small.id)
        raise DatabaseError("away")

    read = watching._read_job
    monkeypatch.setattr(watching, "_read_job", away)
    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    monkeypatch.setattr(watching, "time", clock)
    with pytest.raises(DatabaseError, match="away"):
        watch(database, small.id, lambda _: None)
    # Seven failures, one answer, and ten minutes from then on.
    assert looks[0] == 8 + 11
