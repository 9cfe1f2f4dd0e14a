"""A deletion takes all of one job and nothing else, in pieces, and survives its own death."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.queries import jobs
from pipeline.queries.jobs import iterate_ended_jobs
from pipeline.records import Reference
from pipeline.storage import deletion
from pipeline.storage.deletion import delete_job
from pipeline.storage.rows import add_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


def count_rows(books: Books) -> dict[str, int]:
    return {table.name: books.count(table) for table in tables.metadata.sorted_tables}


def finish_one(database: Database, books: Books, small: SmallJob) -> None:
    claim = books.take(small.id)
    outcomes = books.classified(range(claim.first, claim.last + 1))
    assert ledger.finish(database, claim, small.model, outcomes, books.made)


def test_a_deleted_job_leaves_the_others_and_the_models(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "_AT_ONCE", 3)
    kept, gone = submit_small(database, 10), submit_small(database, 11)
    for small in (kept, gone):
        finish_one(database, books, small)
    delete_job(database, gone.id)
    expected = {"jobs": 1, "images": 10, "chunks": 3, "outcomes": 4, "predictions": 8}
    assert count_rows(books) == expected | {
        "models": 1,
        "labels": 10,
        "turns": 0,
        "webhooks": 0,
        "tokens": 0,
    }
    assert {row[0] for row in books.rows(tables.images)} == {kept.id}
    delete_job(database, gone.id)
    assert books.count(tables.jobs) == 1


def test_a_deletion_works_in_pieces(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "_AT_ONCE", 3)
    small = submit_small(database, 10, 4)
    deleted = []

    @sa.event.listens_for(database.engine, "after_cursor_execute")
    def note(_: object, cursor: Any, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE FROM images"):
            deleted.append(cursor.rowcount)

    @sa.event.listens_for(database.engine, "commit")
    def end(_: object) -> None:
        deleted.append("commit")

    delete_job(database, small.id)
    pieces = deleted[deleted.index(3) :]
    assert pieces[:8] == [3, "commit", 3, "commit", 3, "commit", 1, "commit"]


def test_a_deletion_that_dies_at_any_point_can_be_done_again(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "_AT_ONCE", 4)
    run = database._run
    for survived in range(1, 12):
        small = submit_small(database, 10)
        finish_one(database, books, small)
        left = [survived]

        def dies(work: Callable[[sa.Connection], Any], write: bool, left: list[int] = left) -> Any:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return run(work, write)

        monkeypatch.setattr(database, "_run", dies)
        with pytest.raises(KeyboardInterrupt):
            delete_job(database, small.id)
        monkeypatch.setattr(database, "_run", run)
        assert ledger.claim_next(database, small.id, "test", 60) is None
        assert not ledger.complete(database, small.id)
        delete_job(database, small.id)
        assert count_rows(books) == {
            **dict.fromkeys(count_rows(books), 0),
            "models": 1,
            "labels": 10,
        }


def test_a_job_whose_deletion_died_is_replaced_under_its_name(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit_small(database, name="holiday")
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "_delete_rows", lambda *_: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            delete_job(database, books.look(tables.jobs)["id"])
    again = submit_small(database, name="holiday")
    assert books.rows(tables.jobs, "id") == [(again.id,)]


def test_a_piece_that_comes_during_the_deletion_is_deleted_too(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, late = submit_small(database, 4), [Reference("/late.jpg")]
    delete_rows = deletion._delete_rows

    def delete_and_come_late(database: Database, table: sa.Table, job_id: int) -> None:
        delete_rows(database, table, job_id)
        if table is tables.images and late:
            pieces = [late.pop()]
            database.attempt(lambda c: add_images(c, job_id, 4, 4, pieces))

    monkeypatch.setattr(deletion, "_delete_rows", delete_and_come_late)
    delete_job(database, small.id)
    assert not late
    assert [books.count(table) for table in (tables.jobs, tables.images, tables.chunks)] == [0] * 3


def test_the_id_of_a_deleted_job_is_never_given_again(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    first = submit_small(database)
    delete_job(database, first.id)
    assert submit_small(database).id > first.id


def test_a_chunk_in_work_when_its_job_is_deleted_saves_nothing(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, 4)
    claim = books.take(small.id)
    delete_job(database, small.id)
    outcomes = books.classified(range(4))
    assert not ledger.finish(database, claim, small.model, outcomes, books.made)
    assert books.count(tables.outcomes) == 0


# ---------------------------------------------------------------- jobs that ended long ago
def ended_of(database: Database, ended_for_s: float) -> list[int]:
    with database.reading() as connection:
        return [job.id for job in iterate_ended_jobs(connection, ended_for_s)]


def test_the_jobs_that_ended_long_ago_are_found(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "_PAGE", 2)
    small = [submit_small(database).id for _ in range(6)]
    for job_id in small[:5]:
        ledger.cancel(database, job_id)
    with database.transaction() as connection:
        job = tables.jobs
        for place, (status, age_s) in enumerate(
            [("completed", 90), ("failed", 90), ("cancelled", 90), ("running", 90), ("failed", 9)]
        ):
            values = {"status": status, "finished_at": from_now(-age_s)}
            connection.execute(sa.update(job).where(job.c.id == small[place]).values(values))
    assert ended_of(database, 60) == small[:3]
    assert ended_of(database, 1) == [*small[:3], small[4]]
    assert ended_of(database, 100) == []


def test_a_job_that_was_resumed_meanwhile_is_kept(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database)
    ledger.cancel(database, small.id)
    assert not delete_job(database, small.id, ended_for_s=60)
    books.change(tables.jobs, finished_at=from_now(-90))
    ledger.resume(database, small.id)
    assert not delete_job(database, small.id, ended_for_s=60)
    assert books.look(tables.jobs)["status"] == "running"
    assert books.count(tables.images) == 10
    ledger.cancel(database, small.id)
    books.change(tables.jobs, finished_at=from_now(-90))
    assert delete_job(database, small.id, ended_for_s=60)
    assert not delete_job(database, small.id, ended_for_s=60)
    assert books.count(tables.images) == 0


def test_an_interrupted_deletion_counts_as_ended(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = submit_small(database)
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "_delete_rows", lambda *_: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            delete_job(database, small.id)
    assert ended_of(database, -1) == [small.id]
    assert delete_job(database, small.id, ended_for_s=-1)
    assert books.count(tables.jobs) == 0
