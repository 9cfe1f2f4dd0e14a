"""The flipped images of two jobs: every one once, in order, whatever the page and the filter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from compare_drawn import two_jobs
from compare_jobs import ANIMALS, BEASTS, Said, flip_plainly, make_job, pair_plainly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.compare import flips
from pipeline.compare.flips import FlipRow, list_flips
from pipeline.compare.keys import JoinKey
from pipeline.errors import JobError, UsageError

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Model


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small jobs are walked in many pieces, and a page ends early, as with big ones."""
    monkeypatch.setattr(flips, "_FIRST_PIECE", 1)
    monkeypatch.setattr(flips, "_LAST_PIECE", 3)
    monkeypatch.setattr(flips, "LOOKED_AT", 5)


def read_all(database: Database, a: str, b: str, limit: int, **wanted: Any) -> list[FlipRow]:
    found: list[FlipRow] = []
    cursor: str | None = None
    with database.reading() as connection:
        while True:
            page = list_flips(connection, a, b, limit=limit, cursor=cursor, **wanted)
            assert len(page.rows) <= limit
            found += page.rows
            cursor = page.next_cursor
            if cursor is None:
                return found
            assert re.fullmatch("[A-Za-z0-9_=-]+", cursor)


@given(two_jobs(), st.integers(1, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_every_flip_comes_once_the_least_certain_first(
    database: Database, drawn: tuple[list[Said], list[Said], Model], limit: int
) -> None:
    a, b, model = drawn
    names = make_job(database, ANIMALS, a), make_job(database, model, b)
    for by in JoinKey:
        flipped = flip_plainly(a, b, pair_plainly(a, b, by))
        rows = read_all(database, *names, limit, by=by)
        assert [(row.a.score, row.a.index, row.b.index) for row in rows] == flipped
        for row in rows:
            one, two = a[row.a.index], b[row.b.index]
            assert (row.uri, row.custom_id) == (one.uri, one.custom_id)
            assert (row.a.label, row.b.label, row.b.score) == (one.says, two.says, two.score)
            assert (row.a.job_id, row.b.job_id) == names


@given(two_jobs(), st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_a_filter_by_either_label_or_both_loses_nothing(
    database: Database, drawn: tuple[list[Said], list[Said], Model], limit: int
) -> None:
    a, b, model = drawn
    names = make_job(database, ANIMALS, a), make_job(database, model, b)
    every = read_all(database, *names, limit)
    for start in (None, *ANIMALS.labels[:2]):
        for end in (None, *model.labels[:2]):
            if start == end:
                continue
            wanted = [
                row for row in every if start in (None, row.a.label) and end in (None, row.b.label)
            ]
            if start is None:
                # Walked over from the other side: these are in the order of the second job.
                wanted.sort(key=lambda row: (row.b.score, row.b.index))
            found = read_all(database, *names, limit, from_label=start, to_label=end)
            assert found == wanted


def test_a_page_that_has_looked_at_enough_ends_early_and_goes_on(database: Database) -> None:
    a = [Said(f"/{n}", "cat", 0.1 + n / 100) for n in range(30)]
    b = [*a[:-1], Said("/29", "dog")]
    names = make_job(database, ANIMALS, a), make_job(database, ANIMALS, b)
    with database.reading() as connection:
        page = list_flips(connection, *names, limit=10)
    assert page.rows == []
    assert page.next_cursor is not None
    assert [row.uri for row in read_all(database, *names, 10)] == ["/29"]


def test_a_row_says_all_of_both_sides(database: Database) -> None:
    a = make_job(database, ANIMALS, [Said("/1", "cat", 0.5, "own-1")])
    b = make_job(database, BEASTS, [Said("/0", "bee"), Said("/1", "dog", 0.25, "other")])
    for wanted in ({}, {"to_label": "dog"}):
        (row,) = read_all(database, a, b, 5, **wanted)
        assert row.as_dict() == {
            "uri": "/1",
            "custom_id": "own-1",
            "a": {"job_id": a, "index": 0, "label": "cat", "score": 0.5},
            "b": {"job_id": b, "index": 1, "label": "dog", "score": 0.25},
        }


def test_jobs_that_share_nothing_have_no_flips(database: Database) -> None:
    a = make_job(database, ANIMALS, [Said("/1", "cat")])
    b = make_job(database, ANIMALS, [Said("/2", "dog")])
    assert read_all(database, a, b, 5) == []


@pytest.fixture
def two(database: Database) -> Database:
    """The jobs ``one`` and ``two``, which differ in every image."""
    for name, word in (("one", "cat"), ("two", "dog")):
        make_job(database, ANIMALS, [Said(f"/{n}", word, 0.5) for n in range(9)], name)
    return database


@pytest.mark.parametrize(
    ("a", "wanted", "sentence"),
    [
        ("two", {}, "agrees with itself"),
        ("one", {"limit": 0}, "a page of 0 rows shows nothing"),
        ("one", {"from_label": "bee"}, "the job's model does not know the label 'bee'"),
        ("one", {"to_label": "bee"}, "the job's model does not know the label 'bee'"),
        ("one", {"from_label": "cat", "to_label": "cat"}, "does not flip from 'cat' to itself"),
        ("one", {"cursor": "nonsense"}, "'nonsense' is none that a page of these flips"),
        ("one", {"cursor": "ä"}, "start again without it"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    two: Database, a: str, wanted: dict[str, Any], sentence: str
) -> None:
    with two.reading() as connection, pytest.raises(UsageError, match=re.escape(sentence)):
        list_flips(connection, a, "two", **wanted)


def test_a_job_that_is_not_there_is_refused(two: Database) -> None:
    with two.reading() as connection, pytest.raises(JobError, match="no job 'nobody'"):
        list_flips(connection, "one", "nobody")


def test_a_cursor_belongs_to_its_jobs_and_its_direction(two: Database) -> None:
    with two.reading() as connection:
        cursor = list_flips(connection, "one", "two", limit=2).next_cursor
        assert cursor is not None
        with pytest.raises(UsageError, match="start again without it"):
            list_flips(connection, "two", "one", cursor=cursor)
        with pytest.raises(UsageError, match="start again without it"):
            list_flips(connection, "one", "two", to_label="dog", cursor=cursor)
        assert list_flips(connection, "one", "two", cursor=cursor).rows[0].a.index == 2
