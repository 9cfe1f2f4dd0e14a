"""What `jobs show` counts is cheap, however large the job is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from pipeline import ledger, tables
from pipeline.cli.jobs.view import page
from pipeline.job_json import as_dict
from pipeline.queries import tallies
from pipeline.queries.jobs import get_job_by_number, list_jobs
from pipeline.queries.tallies import count_by_code, count_by_label
from pipeline.records import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Job

    Counted = tuple[Job, dict[str, int] | None, dict[str, int] | None]


@pytest.fixture
def running(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images, of which two failed and two are classified."""
    small = submit_small(database)
    outcomes = [*books.failed([0, 1]), *books.classified([2, 3])]
    ledger.finish(database, books.take(small.id), small.model, outcomes, books.made)
    return small


def count(database: Database, job_id: int) -> Counted:
    with database.reading() as connection:
        job = get_job_by_number(connection, job_id)
        return job, count_by_code(connection, job), count_by_label(connection, job)


def test_a_small_running_job_is_counted(database: Database, running: SmallJob) -> None:
    assert count(database, running.id)[1:] == ({"not_found": 2}, {"label 0": 2})


def test_a_large_running_job_is_counted_at_its_end(
    database: Database, running: SmallJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "COUNTED_AT_MOST", 1)
    job, failures, labels = count(database, running.id)
    assert (failures, labels) == (None, None)
    shown = dict(page(job, failures, labels, None))
    assert shown["labels"].startswith("counted at the end")
    assert shown["failures"].startswith("counted at the end")
    assert as_dict(job, failures, labels)["labels"] is None
    ledger.cancel(database, running.id)
    assert count(database, running.id)[1:] == ({"not_found": 2}, {"label 0": 2})


def test_a_finished_job_shows_what_was_stored(
    database: Database, books: Books, running: SmallJob
) -> None:
    ledger.cancel(database, running.id)
    books.change(tables.jobs, histogram={"cat": 7})
    assert count(database, running.id)[2] == {"cat": 7}


def test_a_finished_job_shows_the_failures_that_were_stored(
    database: Database, books: Books, running: SmallJob
) -> None:
    ledger.cancel(database, running.id)
    books.change(tables.outcomes, code=None)
    assert count(database, running.id)[1] == {"not_found": 2}
    books.change(tables.jobs, failures=sa.null())
    assert count(database, running.id)[1] == {}, "an older job's are counted"


def test_a_job_that_goes_on_has_its_failures_counted_again(
    database: Database, running: SmallJob
) -> None:
    ledger.cancel(database, running.id)
    assert ledger.resume(database, running.id) == 6
    job, failures, _ = count(database, running.id)
    assert (job.failures, failures) == (None, {"not_found": 2})


def test_the_counts_of_jobs_are_read_from_their_chunks_alone(
    database: Database, running: SmallJob
) -> None:
    said: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    with database.reading() as connection:
        (listed,) = list_jobs(connection)
        assert listed == get_job_by_number(connection, running.id)
    assert listed.counts == Counts(10, 2, 2)
    text = " ".join(said)
    assert "chunks" in text
    assert not any(bulk in text for bulk in ("images", "outcomes", "predictions"))
