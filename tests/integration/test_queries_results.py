"""Finished images by filter: every row exactly once, whatever the filter, the page, the dialect."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from pipeline import tables
from pipeline.errors import JobError, UsageError
from pipeline.producer import submit
from pipeline.queries import meaning, results
from pipeline.queries.cursors import write_cursor
from pipeline.queries.details import read_rows
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.results import count_results, find_top_k, iterate_results, list_results
from pipeline.records import (
    Failure,
    FailureCode,
    FileFacts,
    ImageResult,
    JobSpec,
    Outcome,
    Prediction,
    Reference,
    Score,
)
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.queries.details import ResultRow
    from pipeline.records import Model

CODES = (FailureCode.NOT_FOUND, FailureCode.TIMEOUT)


def outcome(index: int) -> Outcome | None:
    """Of every five images one is open and one has failed; the others have three predictions."""
    if index % 5 == 4:
        return None
    if index % 5 == 3:
        return Outcome(index, failure=Failure(CODES[index % 2], f"no {index}"))
    scores = tuple(Score((index + rank) % 10, 1 / (2 + index % 3 + rank)) for rank in range(3))
    return Outcome(index, scores, facts=FileFacts(width=640, height=480 + index))


def submit_answered(database: Database, model: Model, name: str, images: int = 25) -> JobSpec:
    """Submit a job whose images have outcomes; every second image has an id of its own."""
    spec = JobSpec(name, model, {"top_k": 3}, "hash", 4)
    own_ids = ("own-7" if index == 7 else f"{name}-{index}" for index in range(images))
    references = [
        Reference(
            f"/{'even' if index % 2 == 0 else 'odd_%'}/{index}.jpg", own if index % 2 else None
        )
        for index, own in enumerate(own_ids)
    ]
    job_id = submit(database, spec, references)
    found = [one for index in range(images) if (one := outcome(index)) is not None]
    with database.transaction() as conn:
        save_outcomes(conn, job_id, save_model(conn, model), found)
    return spec


@pytest.fixture
def answered(database: Database, small_model: Model) -> Database:
    """Jobs ``one`` and ``two`` of one model, ``three`` of another that shares half the labels."""
    other = replace(small_model, sha256="6b" * 32, labels=tuple(f"label {n}" for n in range(5, 15)))
    submit_answered(database, small_model, "one")
    submit_answered(database, small_model, "two")
    submit_answered(database, other, "three")
    return database


def read_pages(database: Database, wanted: PredictionFilter, limit: int) -> list[ResultRow]:
    rows: list[ResultRow] = []
    cursor: str | None = None
    with database.reading() as conn:
        while True:
            page = list_results(conn, wanted, limit, cursor)
            assert len(page.rows) <= limit
            assert page.next_cursor is None or re.fullmatch("[A-Za-z0-9_-]+", page.next_cursor)
            rows += page.rows
            if page.next_cursor is None:
                return rows
            cursor = page.next_cursor


def is_wanted(row: ResultRow, wanted: PredictionFilter) -> bool:
    best = row.result.predictions[0] if row.result.predictions else None
    error, uri = row.result.error, wanted.uri
    return all(
        (
            wanted.job in (None, row.job),
            wanted.label is None or (best is not None and best.label == wanted.label),
            wanted.min_score is None or (best is not None and best.score >= wanted.min_score),
            wanted.max_score is None or (best is not None and best.score <= wanted.max_score),
            uri is None
            or row.result.uri == uri
            or (uri[-1] == "*" and row.result.uri.startswith(uri[:-1])),
            wanted.custom_id in (None, row.result.custom_id),
            wanted.code is None or (error is not None and error.code == wanted.code),
            wanted.failed is None or wanted.failed == (error is not None),
        )
    )


def test_a_row_is_the_finished_image_with_all_its_ranks(answered: Database) -> None:
    with answered.reading() as conn:
        page = list_results(conn, PredictionFilter(job="three"), limit=4)
        assert page.next_cursor is not None
        rest = list_results(conn, PredictionFilter(job="three"), 100, page.next_cursor)
    assert [row.index for row in page.rows] == [0, 1, 2, 3]
    assert rest.rows[0].index == 5
    assert rest.next_cursor is None
    second, failure = page.rows[1], page.rows[3]
    assert second.result == ImageResult(
        "/odd_%/1.jpg",
        "three-1",
        (
            Prediction(1, "label 6", 1, 1 / 3),
            Prediction(2, "label 7", 2, 1 / 4),
            Prediction(3, "label 8", 3, 1 / 5),
        ),
        None,
    )
    assert (second.job, second.width, second.height) == ("three", 640, 481)
    assert failure.result == ImageResult(
        "/odd_%/3.jpg", "three-3", None, Failure(FailureCode.TIMEOUT, "no 3")
    )
    assert list(failure.as_dict()) == [
        "job",
        "index",
        "uri",
        "custom_id",
        "predictions",
        "error",
        "width",
        "height",
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 59, 60, 61, 1000])
def test_every_page_size_shows_every_finished_image_once_in_order(
    answered: Database, limit: int
) -> None:
    expected = [
        (job, index) for job in ("one", "two", "three") for index in range(25) if index % 5 != 4
    ]
    rows = read_pages(answered, PredictionFilter(), limit)
    assert [(row.job, row.index) for row in rows] == expected


def test_filters_combine_and_pages_count_and_stream_agree(
    answered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "KEYS", 5)
    monkeypatch.setattr(results, "PIECE", 2)
    everything = read_pages(answered, PredictionFilter(), 1000)
    found_some = 0
    for job, answer, uri, own_id in product(
        (None, "one", "three"),
        (
            {},
            {"label": "label 5"},
            {"min_score": 0.3},
            {"max_score": 0.4, "label": "label 7"},
            {"min_score": 0.2, "max_score": 0.4},
            {"failed": True},
            {"failed": False},
            {"code": "timeout"},
            {"code": "timeout", "failed": True},
            {"failed": False, "label": "label 6", "min_score": 1 / 3},
        ),
        (None, "/even/20.jpg", "/odd_%/7.jpg", "/even/*", "/EVEN/*", "/odd__/*", "*"),
        (None, "own-7"),
    ):
        if uri is not None and uri[-1] == "*" and job is None:
            continue
        wanted = PredictionFilter(job=job, uri=uri, custom_id=own_id, **answer)  # type: ignore[arg-type]
        expected = [row for row in everything if is_wanted(row, wanted)]
        if uri is not None and uri[-1] == "*":
            expected.sort(key=lambda row: row.result.uri)
        assert read_pages(answered, wanted, 6) == expected, wanted
        with answered.reading() as conn:
            assert count_results(conn, wanted) == len(expected), wanted
        assert list(iterate_results(answered, wanted)) == [row.result for row in expected], wanted
        found_some += bool(expected)
    assert found_some > 80


def test_a_job_without_a_finished_image_has_no_rows(answered: Database, small_model: Model) -> None:
    submit(answered, JobSpec("new", small_model, {}, "hash", 4), [Reference("/even/0.jpg")])
    wanted = PredictionFilter(job="new")
    with answered.reading() as conn:
        assert list_results(conn, wanted) == results.Page([], None)
        assert count_results(conn, wanted) == 0
    assert list(iterate_results(answered, wanted)) == []


def test_two_uris_with_one_hash_are_told_apart(
    answered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "uri_hash", lambda uri: 7)
    with answered.transaction() as conn:
        conn.execute(sa.update(tables.images).values(uri_hash=7))
    wanted = PredictionFilter(uri="/even/20.jpg")
    assert [(row.job, row.index) for row in read_pages(answered, wanted, 10)] == [
        ("one", 20),
        ("two", 20),
        ("three", 20),
    ]


def test_uris_that_begin_alike_are_found_in_their_order_however_long_they_are(
    database: Database, small_model: Model
) -> None:
    long, last = "https://host/" + "x" * 140, "\U0010ffff"
    uris = [
        *(long + "/b", long + "/a", long + "/b", long, long[:-1], f"/é/{last}", "/é/", "/é"),
        *("/é/\ue000", "/é/_", "/éa", "/é/%", f"/é/{last}{last}z", "/É/1"),
    ]
    job_id = submit(database, JobSpec("one", small_model, {}, "h", 4), map(Reference, uris))
    with database.transaction() as conn:
        found = [replace(outcome(0) or Outcome(0), index=index) for index in range(len(uris))]
        save_outcomes(conn, job_id, save_model(conn, small_model), found)
    for start in (
        "/é/",
        "/é",
        f"/é/{last}",
        long,
        long + "/",
        long[:128],
        long[:129],
        "https:",
        "",
    ):
        matching = [(index, uri) for index, uri in enumerate(uris) if uri.startswith(start)]
        expected = sorted(matching, key=lambda pair: (pair[1][:128], pair[0]))
        for limit in (1, 2, 100):
            rows = read_pages(database, PredictionFilter("one", uri=start + "*"), limit)
            assert [(row.index, row.result.uri) for row in rows] == expected, (start, limit)


def test_a_key_that_is_gone_when_its_row_is_read_is_left_out(answered: Database) -> None:
    with answered.reading() as conn:
        rows = read_rows(conn, [(1, 5), (1, 4), (1, 3), (99, 0)])
    assert [row.index for row in rows] == [5, 3]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (
            PredictionFilter(label="lable 5"),
            "no model here knows the label 'lable 5' (is it 'label 5'",
        ),
        (PredictionFilter(label="x\0"), "`imagemill weights show` lists a model's labels"),
        (PredictionFilter(job="one", label="label 12"), "the job's model does not know the label"),
        (PredictionFilter(min_score=1.5), "no image has a score of 1.5; give one between 0 and 1"),
        (PredictionFilter(max_score=float("nan")), "no image has a score of nan"),
        (PredictionFilter(min_score=0.9, max_score=0.1), "swap the two"),
        (
            PredictionFilter(code="gone"),
            "no failure has the code 'gone'; one of: invalid_reference, ",
        ),
        (PredictionFilter(code="timeout", failed=False), "has no failure code"),
        (PredictionFilter(failed=True, min_score=0.5), "a failure has no label and no score"),
        (PredictionFilter(code="timeout", label="label 5"), "a failure has no label and no score"),
        (PredictionFilter(uri="/pictures/*"), "a uri that ends in * needs a job as well"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused_in_one_sentence(
    answered: Database, wanted: PredictionFilter, sentence: str
) -> None:
    with answered.reading() as conn:
        for read in (list_results, count_results):
            with pytest.raises(UsageError, match=re.escape(sentence)):
                read(conn, wanted)
    # At once, and not at the first row: no file has been opened yet.
    with pytest.raises(UsageError, match=re.escape(sentence)):
        iterate_results(answered, wanted)


def test_a_job_that_does_not_exist_is_refused(answered: Database) -> None:
    with answered.reading() as conn, pytest.raises(JobError, match="no job 'four'"):
        list_results(conn, PredictionFilter(job="four"))


@pytest.mark.parametrize("text", ["x\0y", "half\udcff"])
def test_a_text_that_no_database_can_hold_finds_nothing(answered: Database, text: str) -> None:
    with answered.reading() as conn:
        for wanted in (PredictionFilter(uri=text), PredictionFilter(custom_id=text)):
            assert list_results(conn, wanted).rows == []


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "AQAAAAEAAAAA!", "ü", "AgAAAAEAAAAB", "A" * 99]
)
def test_a_broken_cursor_is_refused_in_one_sentence(answered: Database, cursor: str) -> None:
    with answered.reading() as conn, pytest.raises(UsageError, match=r"start again without it$"):
        list_results(conn, PredictionFilter(), cursor=cursor)


def test_a_cursor_of_another_job_is_refused(answered: Database) -> None:
    with answered.reading() as conn:
        with pytest.raises(UsageError, match="belongs to another job; start again without it"):
            list_results(conn, PredictionFilter(job="one"), cursor=write_cursor((2, 0)))
        with pytest.raises(UsageError, match="a limit of at least 1"):
            list_results(conn, PredictionFilter(), limit=0)


def test_a_page_costs_the_same_queries_whatever_its_size(answered: Database) -> None:
    def count_statements(limit: int) -> int:
        seen: list[Any] = []
        with answered.reading() as conn:
            sa.event.listen(conn, "before_cursor_execute", lambda *call: seen.append(call[2]))
            assert len(list_results(conn, PredictionFilter(label="label 5"), limit).rows) == limit
        return len([statement for statement in seen if statement != "BEGIN"])

    # The label, the keys, their predictions, their facts.
    assert count_statements(1) == count_statements(6) == 4


def test_a_stream_holds_no_transaction_while_its_reader_is_slow(answered: Database) -> None:
    rows = iterate_results(answered, PredictionFilter())
    next(rows)
    status = answered.engine.pool.status()
    assert answered.engine.pool.checkedout() == 0, status  # type: ignore[attr-defined]
    assert len(list(rows)) == 59


def test_a_stream_shows_no_image_twice_while_others_finish(
    answered: Database, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "KEYS", 5)
    monkeypatch.setattr(results, "PIECE", 2)
    rows = iterate_results(answered, PredictionFilter(job="one"))
    uris = [next(rows).uri for _ in range(7)]
    late = [replace(outcome(0) or Outcome(0), index=index) for index in (4, 9, 14)]
    with answered.transaction() as conn:
        save_outcomes(conn, 1, save_model(conn, small_model), late)
    uris += [row.uri for row in rows]
    assert len(uris) == len(set(uris))
    assert "/even/4.jpg" not in uris
    assert "/even/14.jpg" in uris


def test_the_number_of_ranks_is_the_largest_of_the_jobs(
    answered: Database, small_model: Model
) -> None:
    submit(answered, JobSpec("wide", small_model, {"top_k": 9}, "h", 4), [Reference("/a.jpg")])
    submit(answered, JobSpec("bare", small_model, {}, "h", 4), [Reference("/a.jpg")])
    with answered.reading() as conn:
        assert find_top_k(conn, PredictionFilter(job="one")) == 3
        assert find_top_k(conn, PredictionFilter(job="bare")) == 5
        assert find_top_k(conn, PredictionFilter()) == 9
