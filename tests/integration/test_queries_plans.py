"""No question that people ask makes the database read a bulk table from end to end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from answered_jobs import answer, answer_jobs
from plans import explain, full_steps

from pipeline.queries.chunks import list_chunks
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.jobs import (
    count_failures,
    count_jobs,
    get_counts,
    get_job,
    list_jobs,
    list_open_images,
)
from pipeline.queries.keys import START
from pipeline.queries.labels import list_labels
from pipeline.queries.meaning import resolve
from pipeline.queries.results import count_results, list_results

if TYPE_CHECKING:
    from collections.abc import Callable

    from plans import Plan

    from pipeline.database.database import Database
    from pipeline.records import Model

    Read = Callable[[sa.Connection], object]

FILTERS = {
    "everything": PredictionFilter(),
    "job": PredictionFilter(job="one"),
    "label in a job": PredictionFilter(job="one", label="label 5"),
    "label": PredictionFilter(label="label 5"),
    "label and score": PredictionFilter(label="label 5", min_score=0.9),
    "label and score in a job": PredictionFilter(job="one", label="label 5", min_score=0.9),
    "score": PredictionFilter(min_score=0.9),
    "score in a job": PredictionFilter(job="one", min_score=0.9),
    "code in a job": PredictionFilter(job="one", code="timeout"),
    "code": PredictionFilter(code="timeout"),
    "failures of a job": PredictionFilter(job="one", failed=True),
    "failures": PredictionFilter(failed=True),
    "answers of a job": PredictionFilter(job="one", failed=False),
    "uri": PredictionFilter(uri="/pictures/77.jpg"),
    "uri in a job": PredictionFilter(job="one", uri="/pictures/77.jpg"),
    "uri with a label": PredictionFilter(uri="/pictures/77.jpg", label="label 7"),
    "start of the uri": PredictionFilter(job="one", uri="/pictures/7*"),
    "custom id": PredictionFilter(custom_id="own-77"),
    "custom id in a job": PredictionFilter(job="one", custom_id="own-77"),
}
#: The index of the keys of a page; where nothing is said, the outcomes' own key.
INDEXES = {
    "label in a job": "ix_outcomes_label",
    "label": "ix_outcomes_label",
    "label and score": "ix_outcomes_label",
    "label and score in a job": "ix_outcomes_label",
    "code in a job": "ix_outcomes_code",
    "code": "ix_outcomes_failed",
    "failures of a job": "ix_outcomes_failed",
    "failures": "ix_outcomes_failed",
    "uri": "ix_images_uri_hash",
    "uri in a job": "ix_images_uri_hash",
    "uri with a label": "ix_images_uri_hash",
    "start of the uri": "ix_images_uri",
    "custom id": "ix_images_custom_id",
    "custom id in a job": "ix_images_custom_id",
}
#: Where PostgreSQL's statistics decide: either way few rows are read.
UNDECIDED = ("code", "score", "score in a job")
#: SQLite's indexes end with the key, whatever they are made of: one serves as well as the other.
ALIKE = {"label in a job": "ix_outcomes_job_label"}
#: Of these there are so few that they may be sorted; so may, of a label that several models have,
#: the first ones of each.
FEW = ("uri", "uri in a job", "uri with a label", "custom id", "custom id in a job")
MERGED = ("label", "label and score")


@pytest.fixture
def answered(database: Database, small_model: Model) -> Database:
    """Two jobs of two models, of 1,500 finished images each, and PostgreSQL's statistics."""
    return answer_jobs(database, small_model)


def plan(database: Database, read: Read) -> list[Plan]:
    return explain(database, lambda: database.attempt(read, write=False))


def plan_keys(database: Database, wanted: PredictionFilter, *, deep: bool) -> Plan:
    """Return the plan of the keys of a page."""

    after = (1, 700) if deep else START
    return plan(database, lambda conn: resolve(conn, wanted).read(conn, after, 20))[-1]


def test_every_page_is_found_by_indexes(answered: Database) -> None:
    for name, wanted in FILTERS.items():
        with answered.reading() as conn:
            first = list_results(conn, wanted, limit=1)
        assert first.rows, name
        for cursor in {None, first.next_cursor}:
            read = partial(list_results, wanted=wanted, limit=20, cursor=cursor)
            assert full_steps(plan(answered, read)) == [], name


@pytest.mark.parametrize("deep", [False, True])
def test_the_keys_of_a_page_are_read_in_order_from_their_own_index(
    answered: Database, deep: bool
) -> None:
    for name, wanted in FILTERS.items():
        found = plan_keys(answered, wanted, deep=deep)
        if name in UNDECIDED and answered.dialect == "postgresql":
            continue
        wanted_index = INDEXES.get(name, "pk_outcomes")
        indexes = {step.index for step in found.steps}
        assert indexes & {wanted_index, ALIKE.get(name, wanted_index)}, (name, found)
        assert name in (*FEW, *MERGED) or not found.sorts, (name, found)


def test_every_number_but_that_of_everything_is_counted_by_an_index(answered: Database) -> None:
    for name, wanted in FILTERS.items():
        if name not in ("everything", "score"):
            read = partial(count_results, wanted=wanted)
            assert full_steps(plan(answered, read)) == [], name


@pytest.mark.parametrize(
    "read",
    [
        lambda conn: list_open_images(conn, 1, 64, 127),
        lambda conn: count_failures(conn, 1),
        lambda conn: list_labels(conn, 1),
        lambda conn: get_counts(conn, 1),
        lambda conn: get_job(conn, "one"),
        lambda conn: (list_jobs(conn), count_jobs(conn)),
        lambda conn: list_chunks(conn, 1, after=7),
    ],
    ids=["open images", "failures", "labels", "counts", "job", "jobs", "chunks"],
)
def test_what_is_asked_of_a_job_is_found_by_an_index(answered: Database, read: Read) -> None:
    assert full_steps(plan(answered, read)) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_job_that_the_statistics_do_not_know_is_read_image_by_image(
    answered: Database, small_model: Model
) -> None:
    # As a join its open images would cost all its finished ones, each of them.
    job_id = answer(answered, small_model, "late", finished=1400)
    reads: dict[str, Read] = {
        "open images": lambda conn: list_open_images(conn, job_id, 1408, 1471),
        "start": partial(list_results, wanted=PredictionFilter("late", uri="/pictures/7*")),
    }
    for name, read in reads.items():
        steps = [
            step
            for one in plan(answered, read)
            for step in one.steps
            if step.table == "outcomes" and "FROM images" in one.statement
        ]
        assert steps, name
        assert all("index = images.index" in step.condition for step in steps), (name, steps)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT uri FROM images WHERE uri = '/pictures/77.jpg'",
        "SELECT job_id FROM outcomes WHERE width = 7",
        "SELECT job_id FROM predictions WHERE label_id = 7",
        "SELECT job_id FROM chunks WHERE worker = 'w'",
    ],
)
def test_the_check_of_plans_sees_a_table_that_is_read_from_end_to_end(
    answered: Database, question: str
) -> None:
    assert full_steps(plan(answered, lambda conn: conn.execute(sa.text(question)))) != []
