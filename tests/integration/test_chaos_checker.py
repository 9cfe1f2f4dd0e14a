"""The checker of the storm: what it must find, done to the rows of a job that is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from storm.checker import Answer, look, read_answers
from storm.workload import PlannedJob, Wanted

from pipeline import ledger
from pipeline.records import Outcome, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

#: What is done to the rows, and what of it must be found.
_HARM = {
    "DELETE FROM outcomes WHERE index = 3": "an image without exactly one outcome",
    "DELETE FROM images WHERE index = 9": "a reference that is missing",
    "UPDATE images SET uri = 'other' WHERE index = 2": "a reference that nobody submitted",
    "UPDATE images SET custom_id = NULL WHERE index = 2": "a reference that is missing",
    "UPDATE images SET index = 77 WHERE index = 9": "an index that is missing",
    "INSERT INTO outcomes (job_id, index, model_id, code) SELECT job_id, 99, model_id, 'timeout'"
    " FROM outcomes WHERE index = 1": "an outcome of no image",
    "UPDATE outcomes SET code = 'timeout' WHERE index = 1": "both a label and a failure",
    "UPDATE outcomes SET label_id = NULL, score = NULL, code = 'timeout' WHERE index = 1": (
        "an outcome that an undisturbed worker did not have"
    ),
    "UPDATE outcomes SET label_id = NULL, score = NULL, code = 'worker_crashed' WHERE index = 1": (
        "an image that was condemned, and not lost twice alone"
    ),
    "DELETE FROM predictions WHERE index = 1 AND rank = 2": "too many predictions, or too few",
    "INSERT INTO predictions SELECT job_id, 8, 1, label_id, score FROM predictions"
    " WHERE index = 1 AND rank = 2": "too many predictions, or too few",
    "UPDATE outcomes SET score = 0.8 WHERE index = 1": "not its first prediction",
    "UPDATE predictions SET score = score - 0.001 WHERE index = 1 AND rank = 2": (
        "a prediction that an undisturbed worker did not make"
    ),
    "UPDATE predictions SET label_id = label_id + 1 WHERE index = 1 AND rank = 2": (
        "a prediction that an undisturbed worker did not make"
    ),
    "UPDATE jobs SET succeeded = succeeded - 1": "a job whose counts",
    "UPDATE jobs SET histogram = '{}'": "a job whose histogram",
    "UPDATE jobs SET status = 'running'": "a job that is not completed",
    "UPDATE jobs SET priority = 'high'": "a job of another priority",
    "UPDATE jobs SET name = 'another'": "a job that was not submitted",
    "UPDATE chunks SET state = 'running' WHERE number = 0": "a chunk that is not done",
    "UPDATE chunks SET failed = failed + 1 WHERE number = 0": "a chunk whose counts",
    "UPDATE chunks SET last = last - 1 WHERE number = 0": "a gap between two chunks",
}


_SCORES = (Score(0, 0.6), Score(9, 0.3), Score(4, 0.1))


class Checked:
    """A job that is right, and what was submitted and answered of it."""

    def __init__(
        self, database: Database, books: Books, submit_small: Callable[..., SmallJob]
    ) -> None:
        self._database = database
        job = submit_small(self._database, images=10, chunk_size=4, name="small")
        while claim := ledger.claim_next(self._database, job.id, "test", 60):
            indexes = range(claim.first, claim.last + 1)
            outcomes = [Outcome(index, _SCORES) for index in indexes if index < 8]
            outcomes += books.failed([index for index in indexes if index >= 8])
            ledger.finish(self._database, claim, job.model, outcomes, books.made)
        ledger.complete(self._database, job.id)
        self.url = self._database.engine.url.set(drivername="postgresql").render_as_string(False)
        wanted = tuple(Wanted(f"/pictures/{n}.jpg", f"id-{n}") for n in range(10))
        self.job = PlannedJob("small", "bulk", 4, Path(), wanted)
        self.answers = read_answers(self.url, "small")

    def find(self, *harm: str) -> list[str]:
        """Return what is found after these statements, which are taken back then."""
        with psycopg.connect(self.url) as connection:
            for statement in harm:
                connection.execute(statement.encode())
            found = look(connection, [self.job], self.answers)
            connection.rollback()
        return found


@pytest.fixture
def checked(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> Checked:
    return Checked(database, books, submit_small)


def test_what_is_right_is_not_complained_of(checked: Checked) -> None:
    assert len(checked.answers) == 10
    assert checked.answers["/pictures/9.jpg"].code == "not_found"
    assert checked.find() == []


def test_what_is_wrong_is_found(checked: Checked) -> None:
    found = {harm: checked.find(harm) for harm in _HARM}
    missed = [harm for harm, what in _HARM.items() if not any(what in one for one in found[harm])]
    assert missed == []


def test_two_labels_that_are_equally_likely_may_change_places(checked: Checked) -> None:
    alike = Answer(None, (("label 0", 0.4), ("label 9", 0.39995), ("label 4", 0.1)))
    checked.answers |= {uri: alike for uri, one in checked.answers.items() if one.scores}
    even = (
        "UPDATE predictions SET score = 0.4 WHERE rank < 3",
        "UPDATE outcomes SET score = 0.4 WHERE code IS NULL",
    )
    assert checked.find(*even) == []
    swap = (
        "UPDATE {0}s o SET label_id = p.label_id FROM predictions p"
        " WHERE p.job_id = o.job_id AND p.index = o.index AND {1}"
    )
    swapped = (
        swap.format("prediction", "o.rank + p.rank = 3"),
        swap.format("outcome", "p.rank = 1"),
        "UPDATE jobs SET histogram = '{\"label 9\": 8}'",
    )
    assert checked.find(*even, *swapped) == []
