"""Histograms of a job: stored when it has ended, counted or sampled while it runs."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from answered_jobs import IMAGES, answer, answer_jobs, outcome
from plans import explain, full_steps

from pipeline import ledger, tables
from pipeline.queries import histograms
from pipeline.queries.answers.bins import BINS, find_bin, score_bin
from pipeline.queries.histograms import (
    LabelHistogram,
    ScoreHistogram,
    get_histograms,
    get_label_histogram,
    get_score_histogram,
)
from pipeline.queries.jobs import get_job_by_number
from pipeline.queries.labels import LabelCount
from pipeline.records import Failure, FailureCode, Outcome, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Job, Model

    Histograms = tuple[LabelHistogram, ScoreHistogram]

#: Of ten images: two failures, and scores in three bins, on their edges too.
SCORES = (0.15, 0.1499, 1.0, None, 0.95, 0.15, 0.9, None, 0.0, 0.15)


def read(database: Database, job_id: int) -> Histograms:
    with database.reading() as conn:
        job = get_job_by_number(conn, job_id)
        return get_label_histogram(conn, job), get_score_histogram(conn, job)


def bins(scores: Iterable[float]) -> tuple[int, ...]:
    counted = Counter(map(find_bin, scores))
    return tuple(counted[number] for number in range(BINS))


def made(index: int) -> Outcome:
    score = SCORES[index]
    if score is None:
        return Outcome(index, failure=Failure(FailureCode.NOT_FOUND, "no file"))
    return Outcome(index, (Score(index % 2, score), Score(9, 0.0)))


@pytest.fixture
def small(database: Database, books: Books, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """A job of ten images in chunks of four, of which the first eight are finished."""
    job = submit_small(database)
    for _ in range(2):
        claim = books.take(job.id)
        outcomes = [made(index) for index in range(claim.first, claim.last + 1)]
        ledger.finish(database, claim, job.model, outcomes, books.made)
    return job


def finish_rest(database: Database, books: Books, job: SmallJob) -> None:
    outcomes = [made(index) for index in (8, 9)]
    ledger.finish(database, books.take(job.id), job.model, outcomes, books.made)
    assert ledger.complete(database, job.id)


def test_a_small_running_job_is_counted_as_of_now(database: Database, small: SmallJob) -> None:
    by_label, by_score = read(database, small.id)
    found = (LabelCount("label 0", 0, 4), LabelCount("label 1", 1, 2))
    assert by_label == LabelHistogram(found, 6, is_sample=False)
    known = [score for score in SCORES[:8] if score is not None]
    assert by_score == ScoreHistogram(bins(known), 6, is_sample=False)
    assert [number for number, images in enumerate(by_score.counts) if images] == [2, 3, 18, 19]
    with database.reading() as conn:
        job = get_job_by_number(conn, small.id)
        assert get_histograms(conn, job) == (by_label, by_score)


def test_a_finished_job_shows_what_was_stored_with_it(
    database: Database, books: Books, small: SmallJob
) -> None:
    finish_rest(database, books, small)
    books.change(tables.outcomes, label_id=None, score=None)
    by_label, by_score = read(database, small.id)
    found = (LabelCount("label 0", 0, 5), LabelCount("label 1", 1, 3))
    assert by_label == LabelHistogram(found, 8, is_sample=False)
    known = [score for score in SCORES if score is not None]
    assert by_score == ScoreHistogram(bins(known), 8, is_sample=False)
    assert books.look(tables.jobs)["scores"] == list(bins(known))


def test_an_old_job_that_ended_without_its_scores_is_counted(
    database: Database, books: Books, small: SmallJob
) -> None:
    finish_rest(database, books, small)
    expected = read(database, small.id)
    with database.transaction() as conn:
        conn.execute(sa.update(tables.jobs).values(scores=sa.null()))
    assert read(database, small.id) == expected


def test_a_job_that_goes_on_has_no_stored_scores(
    database: Database, books: Books, small: SmallJob
) -> None:
    finish_rest(database, books, small)
    assert ledger.retry(database, small.id) == 2
    job = books.look(tables.jobs)
    assert (job["histogram"], job["scores"], job["status"]) == (None, None, "running")


def test_a_job_that_is_cancelled_stores_what_it_has(
    database: Database, books: Books, small: SmallJob
) -> None:
    running = read(database, small.id)
    ledger.cancel(database, small.id)
    assert books.look(tables.jobs)["scores"] == list(running[1].counts)
    assert read(database, small.id) == running


def test_a_job_without_an_answer_has_empty_histograms(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    job = submit_small(database)
    empty = (LabelHistogram((), 0, is_sample=False), ScoreHistogram((0,) * 20, 0, is_sample=False))
    assert read(database, job.id) == empty
    ledger.cancel(database, job.id)
    assert read(database, job.id) == empty


def test_the_end_of_a_job_reads_its_answers_once_and_its_failures_by_their_index(
    database: Database, books: Books, small: SmallJob
) -> None:
    statements = [plan.statement for plan in explain(database, lambda: ledger.cancel(database, 1))]
    reading = [statement for statement in statements if "outcomes" in statement]
    assert sorted("code IS NOT NULL" in statement for statement in reading) == [False, True]


def test_both_databases_and_python_put_every_score_into_the_same_bin(database: Database) -> None:
    chance = random.Random(7)
    edges = [float(f"{step * 0.05:.2f}") for step in range(BINS + 1)]
    near = [math.nextafter(edge, towards) for edge in edges for towards in (0.0, 1.0)]
    scores = [*edges, *near, *(chance.random() for _ in range(500))]
    with database.reading() as conn:
        for score in scores:
            bound = sa.cast(sa.literal(score), sa.Double)
            assert conn.scalar(sa.select(score_bin(bound))) == find_bin(score), score
        for nothing in (None, -0.1, 1.1):
            bound = sa.cast(sa.literal(nothing, sa.Double), sa.Double)
            assert conn.scalar(sa.select(score_bin(bound))) is None, nothing


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_score_that_is_no_number_is_in_no_bin(database: Database, small: SmallJob) -> None:
    with database.transaction() as conn:
        values = {"score": float("nan")}
        conn.execute(sa.update(tables.outcomes).where(tables.outcomes.c.index == 0).values(values))
    by_label, by_score = read(database, small.id)
    assert (by_label.images, by_score.images) == (6, 5)


def sampled(database: Database, monkeypatch: pytest.MonkeyPatch, most: int, job_id: int) -> Job:
    """Have every chunk of the job done, and samples of so many images where 200 are finished."""
    monkeypatch.setattr(histograms, "COUNTED_AT_MOST", 200)
    monkeypatch.setattr(histograms, "SAMPLED", most)
    chunk = tables.chunks.c
    books = {"state": "done", "succeeded": chunk.last - chunk.first + 1}
    with database.transaction() as conn:
        conn.execute(sa.update(tables.chunks).where(chunk.job_id == job_id).values(books))
        return get_job_by_number(conn, job_id)


def count(job: Job, indexes: Iterable[int]) -> dict[str, Any]:
    """Return what a sample of these images says."""
    found = [one.scores[0] for index in indexes if (one := outcome(index)).scores]
    by_label = Counter(f"label {score.index}" for score in found)
    return {"labels": dict(by_label), "scores": bins(score.score for score in found)}


def test_a_large_running_job_is_sampled_evenly_over_its_done_chunks(
    database: Database, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(database, small_model, "other")
    job_id = answer(database, replace(small_model, sha256="6b" * 32), "large")
    job = sampled(database, monkeypatch, 400, job_id)
    with database.reading() as conn:
        by_label, by_score = get_label_histogram(conn, job), get_score_histogram(conn, job)
        assert get_histograms(conn, job) == (by_label, by_score)
    # Of 24 chunks of 64 images every fourth.
    chosen = [index for index in range(IMAGES) if index // 64 % 4 == 0]
    expected = count(job, chosen)
    assert {one.label: one.images for one in by_label.labels} == expected["labels"]
    assert [one.images for one in by_label.labels] == sorted(
        expected["labels"].values(), reverse=True
    )
    assert by_score.counts == expected["scores"]
    assert by_label.is_sample
    assert by_score.is_sample
    assert by_label.images == by_score.images == sum(expected["scores"])


def test_chunks_that_are_not_done_are_in_no_sample(
    database: Database, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sampled(database, monkeypatch, 400, answer(database, small_model, "large"))
    chunk = tables.chunks.c
    with database.transaction() as conn:
        queued = sa.update(tables.chunks).where(chunk.number % 2 == 1)
        conn.execute(queued.values(state="queued"))
    with database.reading() as conn:
        found = get_score_histogram(conn, job)
    chosen = [index for index in range(IMAGES) if index // 64 % 8 == 0]
    assert found.counts == count(job, chosen)["scores"]


@pytest.mark.parametrize("known", [True, False], ids=["analysed", "unknown to the statistics"])
def test_a_sample_reads_ranges_of_the_key_and_nothing_else(
    database: Database, small_model: Model, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    answer_jobs(database, small_model)
    late = 1 if known else answer(database, replace(small_model, sha256="7c" * 32), "late")
    job = sampled(database, monkeypatch, 400, late)
    plans = explain(
        database,
        lambda: database.attempt(lambda conn: get_score_histogram(conn, job), write=False),
    )
    assert full_steps(plans) == []
    (steps,) = ([s for s in one.steps if s.table == "outcomes"] for one in plans[:1])
    assert [step.index for step in steps] == ["pk_outcomes"]
    assert "index" in steps[0].condition.replace("job_id", "")


def test_a_running_jobs_answers_are_counted_by_an_index(
    database: Database, small_model: Model
) -> None:
    answer_jobs(database, small_model)
    plans = explain(database, lambda: read(database, 1))
    assert full_steps(plans) == []
    by_index = [plan.indexes("outcomes") for plan in plans if plan.indexes("outcomes")]
    assert by_index == [{"ix_outcomes_job_label"}, {"ix_outcomes_score"}]
