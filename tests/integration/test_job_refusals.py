"""What a job cannot do now is refused in a sentence that says what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_books import recount

from pipeline import api, ledger, tables
from pipeline.config import load_settings
from pipeline.database.database import open_database
from pipeline.errors import JobError
from pipeline.producer import submit
from pipeline.records import Counts, Dispatch, Reference
from pipeline.sources import SourceOptions
from workers.specs import make_spec
from workers.weights import find_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def small(database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four."""
    return submit_small(database, images=10, chunk_size=4)


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


def test_a_local_run_of_a_cancelled_job_says_how_to_go_on(sqlite_url: str, tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.touch()
    database = open_database(sqlite_url)
    spec = make_spec(
        load_settings(weights="demo"),
        find_weights("demo", None),
        (str(source),),
        SourceOptions(),
        "one job",
        Dispatch.LOCAL,
    )
    job_id = submit(database, spec, [Reference(str(source))])
    ledger.cancel(database, job_id)
    with pytest.raises(JobError, match="let it go on with `imagemill jobs resume 'one job'`"):
        api.run([str(source)], name="one job", weights="demo", database_url=sqlite_url)
    assert recount(database, job_id) == Counts(1, 0, 0, 1)
    database.close()
