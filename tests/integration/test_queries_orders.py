"""Orders by score: every classified image of a job once, however the pages are cut."""

from __future__ import annotations

import re
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from answered_jobs import answer, answer_jobs
from plans import explain, full_steps

from pipeline import tables
from pipeline.errors import UsageError
from pipeline.producer import submit
from pipeline.queries.cursors import write_cursor, write_rank_cursor
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.orders import Order
from pipeline.queries.results import list_results
from pipeline.records import Failure, FailureCode, JobSpec, Outcome, Reference, Score
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from plans import Plan

    from pipeline.database.database import Database
    from pipeline.queries.details import ResultRow
    from pipeline.records import Model

LEAST, MOST = Order.LEAST_CERTAIN, Order.MOST_CERTAIN
#: Several images share each score; both ends of the scale are there.
SCORES = (0.5, 1.0, 0.15, 0.5, 0.0, 0.1, 0.5)
IMAGES = 60


def outcome(index: int) -> Outcome | None:
    """Of every five images one is open and one has failed."""
    if index % 5 == 4:
        return None
    if index % 5 == 3:
        return Outcome(index, failure=Failure(FailureCode.NOT_FOUND, "no file"))
    return Outcome(index, (Score(index % 3, SCORES[index % 7]), Score(9, 0.0)))


@pytest.fixture
def scored(database: Database, small_model: Model) -> Database:
    """The jobs ``one`` and ``two``, with the same outcomes."""
    found = [made for index in range(IMAGES) if (made := outcome(index))]
    for name in ("one", "two"):
        references = [Reference(f"/{index}.jpg") for index in range(IMAGES)]
        job_id = submit(database, JobSpec(name, small_model, {"top_k": 2}, "h", 8), references)
        with database.transaction() as conn:
            save_outcomes(conn, job_id, save_model(conn, small_model), found)
    return database


def read_pages(
    database: Database, wanted: PredictionFilter, limit: int, order: Order
) -> list[ResultRow]:
    rows: list[ResultRow] = []
    cursor: str | None = None
    with database.reading() as conn:
        while True:
            page = list_results(conn, wanted, limit, cursor, order)
            rows += page.rows
            if page.next_cursor is None:
                return rows
            assert len(page.rows) == limit
            assert re.fullmatch("[A-Za-z0-9_-]{24}", page.next_cursor)
            cursor = page.next_cursor


def expect(wanted: PredictionFilter, order: Order) -> list[tuple[float, int]]:
    lowest, highest = wanted.min_score or 0.0, 1.0 if wanted.max_score is None else wanted.max_score
    found = [
        (made.scores[0].score, index)
        for index in range(IMAGES)
        if (made := outcome(index)) is not None and made.scores
        if lowest <= made.scores[0].score <= highest
        if wanted.label in (None, f"label {made.scores[0].index}")
    ]
    return sorted(found, reverse=order is MOST)


def places(rows: list[ResultRow]) -> list[tuple[float, int]]:
    return [(row.result.predictions[0].score, row.index) for row in rows if row.result.predictions]


@pytest.mark.parametrize("order", [LEAST, MOST])
def test_every_page_size_shows_every_classified_image_once_in_the_order_of_scores(
    scored: Database, order: Order
) -> None:
    for label, lowest, highest, limit in product(
        (None, "label 1"), (None, 0.1, 0.5), (None, 0.15, 0.5), (1, 2, 7, 100)
    ):
        if (lowest or 0) > (1 if highest is None else highest):
            continue
        wanted = PredictionFilter("one", label, lowest, highest)
        rows = read_pages(scored, wanted, limit, order)
        assert places(rows) == expect(wanted, order), (wanted, limit)
        assert all(row.job == "one" and row.result.error is None for row in rows)


def test_of_equal_scores_the_lower_index_comes_first_and_most_certain_is_the_reverse(
    scored: Database,
) -> None:
    least = places(read_pages(scored, PredictionFilter("one"), 7, LEAST))
    assert least == sorted(least)
    assert places(read_pages(scored, PredictionFilter("one"), 7, MOST)) == least[::-1]


def test_a_label_that_no_image_has_and_a_range_without_one_are_empty(scored: Database) -> None:
    for wanted in (PredictionFilter("one", "label 7"), PredictionFilter("one", min_score=0.9999)):
        found = places(read_pages(scored, wanted, 5, LEAST))
        assert found == expect(wanted, LEAST)
        assert all(score == 1.0 for score, _ in found)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_score_that_is_no_number_is_in_no_order(scored: Database) -> None:
    with scored.transaction() as conn:
        values = {"score": float("nan")}
        conn.execute(sa.update(tables.outcomes).where(tables.outcomes.c.index == 0).values(values))
    for order in (LEAST, MOST):
        indexes = {row.index for row in read_pages(scored, PredictionFilter("one"), 7, order)}
        assert indexes == {index for _, index in expect(PredictionFilter("one"), order)} - {0}


def test_a_narrower_range_may_go_on_from_a_wider_ones_cursor(scored: Database) -> None:
    # Behind the cursor and in the range: nothing twice, nothing outside of it.
    for order, reached in ((LEAST, 0.0), (MOST, 1.0)):
        cursor = write_rank_cursor(order, 1, (reached, 11))
        wanted = PredictionFilter("one", min_score=0.1, max_score=0.5)
        with scored.reading() as conn:
            page = list_results(conn, wanted, 100, cursor, order)
        assert places(page.rows) == expect(wanted, order)


def test_a_cursor_of_another_order_or_job_is_refused_in_one_sentence(scored: Database) -> None:
    rank, other = write_rank_cursor(LEAST, 1, (0.5, 3)), "belongs to another order; start again"
    for cursor, job, order, sentence in (
        (rank, "one", MOST, other),
        (rank, "one", Order.INDEX, other),
        (write_cursor((1, 3)), "one", LEAST, other),
        (rank, "two", LEAST, "belongs to another job; start again"),
        (write_rank_cursor(LEAST, 1, (float("nan"), 3)), "one", LEAST, "none that a page ended"),
        (write_rank_cursor(LEAST, 1, (7.0, 3)), "one", LEAST, "none that a page ended"),
        (rank[:-1] + "!", "one", LEAST, "none that a page ended"),
        ("Ag" + "_" * 22, "one", LEAST, "none that a page ended"),
    ):
        with scored.reading() as conn, pytest.raises(UsageError, match=sentence) as caught:
            list_results(conn, PredictionFilter(job), 5, cursor, order)
        assert str(caught.value).endswith("start again without it")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (PredictionFilter(), "the order least-certain needs a job as well; say which one"),
        (PredictionFilter("one", failed=True), "a failure has no score; leave out the order"),
        (PredictionFilter("one", code="timeout"), "a failure has no score; leave out the order"),
        (PredictionFilter("one", uri="/1.jpg"), "leave out the uri and custom id"),
        (PredictionFilter("one", uri="/*"), "leave out the uri and custom id"),
        (PredictionFilter("one", custom_id="x"), "leave out the uri and custom id"),
    ],
)
def test_what_no_index_holds_by_score_is_refused_in_one_sentence(
    scored: Database, wanted: PredictionFilter, sentence: str
) -> None:
    with scored.reading() as conn, pytest.raises(UsageError, match=sentence):
        list_results(conn, wanted, order=LEAST)


def plan_keys(
    database: Database, wanted: PredictionFilter, cursor: str | None, order: Order
) -> Plan:
    """Return the plan of the keys of a page; nothing on the way reads a table whole."""
    read = partial(list_results, wanted=wanted, limit=20, cursor=cursor, order=order)
    plans = explain(database, lambda: database.attempt(read, write=False))
    assert full_steps(plans) == []
    (keys,) = (plan for plan in plans if plan.statement.startswith("SELECT outcomes.score"))
    return keys


@pytest.mark.parametrize("order", [LEAST, MOST])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (PredictionFilter("one"), "ix_outcomes_score"),
        (PredictionFilter("one", failed=False), "ix_outcomes_score"),
        (PredictionFilter("one", min_score=0.2, max_score=0.9), "ix_outcomes_score"),
        (PredictionFilter("one", "label 5"), "ix_outcomes_job_label"),
        (PredictionFilter("one", "label 5", 0.2, 0.9), "ix_outcomes_job_label"),
    ],
)
def test_a_page_begins_in_its_index_where_the_last_one_ended(
    database: Database, small_model: Model, wanted: PredictionFilter, index: str, order: Order
) -> None:
    answer_jobs(database, small_model)
    with database.reading() as conn:
        first = list_results(conn, wanted, 20, None, order)
    for cursor in (None, first.next_cursor):
        keys = plan_keys(database, wanted, cursor, order)
        (step,) = keys.steps
        assert (step.index, keys.sorts) == (index, False)
        # By both at once: a page deep down costs what the first one costs.
        assert bool(cursor) == bool(re.search(r"\(score, ?index\)", step.condition)), step


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_order_of_a_job_that_the_statistics_do_not_know_is_read_from_its_index(
    database: Database, small_model: Model
) -> None:
    answer_jobs(database, small_model)
    answer(database, small_model, "late")
    for wanted, index in (
        (PredictionFilter("late"), "ix_outcomes_score"),
        (PredictionFilter("late", "label 5"), "ix_outcomes_job_label"),
    ):
        keys = plan_keys(database, wanted, None, LEAST)
        assert ([step.index for step in keys.steps], keys.sorts) == ([index], False)
