"""Comparisons are kept while nothing of them can change, and counted anew as soon as it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from compare_jobs import ANIMALS, FAILED, OPEN, Said, make_job

from pipeline import ledger, tables
from pipeline.compare import comparison
from pipeline.compare.keys import JoinKey
from pipeline.queries.jobs import get_job
from pipeline.records import Outcome, Score
from pipeline.storage.rows import save_model, save_outcomes
from pipeline.web import comparisons
from pipeline.web.comparisons import Comparisons

if TYPE_CHECKING:
    from pipeline.compare.comparison import Comparison
    from pipeline.database.database import Database
    from pipeline.records import Job

A = [Said("/1", "cat", 0.5), Said("/2", "dog", 0.9), Said("/3", FAILED)]
B = [Said("/1", "cat", 0.7), Said("/2", "cow", 0.8), Said("/3", "ant", 0.4)]


class Counted(Comparisons):
    """Comparisons of two jobs, and how often they were counted."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._database = database
        self.times = 0
        compare = comparison.compare

        def count(*arguments: object) -> Comparison:
            self.times += 1
            return compare(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(comparisons, "compare", count)

    def ask(self) -> Comparison:
        with self._database.reading() as connection:
            return self.get(connection, "a", "b", JoinKey.URI)


@pytest.fixture
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(database, monkeypatch)


def end(database: Database, name: str, succeeded: int, failed: int = 0) -> Job:
    """End a job whose images all have their outcomes; it has one chunk."""
    with database.reading() as connection:
        job = get_job(connection, name)
    with database.transaction() as connection:
        mine = sa.update(tables.chunks).where(tables.chunks.c.job_id == job.id)
        connection.execute(mine.values(state="done", succeeded=succeeded, failed=failed))
    assert ledger.complete(database, job.id)
    return job


def test_two_jobs_that_ended_are_counted_once(database: Database, counted: Counted) -> None:
    make_job(database, ANIMALS, A, "a")
    make_job(database, ANIMALS, B, "b")
    end(database, "a", 2, 1)
    end(database, "b", 3)
    assert counted.ask().as_dict() == counted.ask().as_dict()
    assert counted.times == 1


def test_a_job_that_goes_on_is_counted_each_time(database: Database, counted: Counted) -> None:
    make_job(database, ANIMALS, [*A, Said("/4", OPEN)], "a")
    make_job(database, ANIMALS, B, "b")
    end(database, "b", 3)
    counted.ask()
    counted.ask()
    assert counted.times == 2


def test_a_job_that_was_retried_is_counted_anew(database: Database, counted: Counted) -> None:
    make_job(database, ANIMALS, A, "a")
    make_job(database, ANIMALS, B, "b")
    end(database, "b", 3)
    job = end(database, "a", 2, 1)
    assert counted.ask().tallies.failed_a == 1
    assert ledger.retry(database, job.id) == 1
    with database.transaction() as connection:
        outcome = Outcome(2, (Score(ANIMALS.labels.index("ant"), 0.5),))
        save_outcomes(connection, job.id, save_model(connection, ANIMALS), [outcome])
    end(database, "a", 3)
    found = counted.ask()
    assert (found.tallies.failed_a, found.agreed, counted.times) == (0, 2, 2)


def test_few_comparisons_are_kept(
    database: Database, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "_KEPT", 1)
    for name in ("a", "b", "c"):
        make_job(database, ANIMALS, A, name)
        end(database, name, 2, 1)
    with database.reading() as connection:
        for other in ("b", "b", "c", "b"):
            counted.get(connection, "a", other, JoinKey.URI)
    assert counted.times == 3
