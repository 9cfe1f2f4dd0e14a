"""What is written is what can be read back, on both kinds of database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tables
from pipeline.errors import JobError
from pipeline.producer import submit
from pipeline.records import (
    Dispatch,
    Failure,
    FailureCode,
    FileFacts,
    JobSpec,
    Model,
    Outcome,
    Precision,
    Priority,
    Reference,
    Score,
)
from pipeline.storage.rows import (
    create_job,
    load_stored_model,
    save_model,
    save_outcomes,
    uri_hash,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database


# ---------------------------------------------------------------- models
def test_a_model_is_stored_once_with_its_labels_in_order(
    database: Database, books: Books, small_model: Model
) -> None:
    with database.transaction() as connection:
        first = save_model(connection, small_model)
        again = save_model(connection, replace(small_model, name="another name"))
        assert load_stored_model(connection, first.id) == first == again
    stored = books.rows(tables.labels, "id", "index", "label")
    assert stored == [(first.label_ids[i], i, f"label {i}") for i in range(10)]


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "00" * 32},
        {"precision": Precision.EXACT},
        {"preprocessing": "2"},
        {"labels": tuple(f"Etikett {i}" for i in range(10))},
    ],
    ids=["weights", "precision", "preprocessing", "labels"],
)
def test_a_model_that_differs_in_its_identity_is_another_model(
    database: Database, books: Books, small_model: Model, change: dict[str, Any]
) -> None:
    with database.transaction() as connection:
        one, two = (
            save_model(connection, m) for m in (small_model, replace(small_model, **change))
        )
    assert one.id != two.id
    assert not set(one.label_ids) & set(two.label_ids)


def test_threads_that_store_one_model_at_once_store_it_once(
    database: Database, books: Books, small_model: Model
) -> None:
    start = threading.Barrier(4)

    def save(_: int) -> object:
        start.wait(20)
        return database.attempt(lambda connection: save_model(connection, small_model))

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(save, range(4)))
    assert all(model == stored[0] for model in stored)
    assert (books.count(tables.models), books.count(tables.labels)) == (1, 10)


# ---------------------------------------------------------------- jobs and images
def test_a_job_keeps_what_its_spec_says_and_is_not_submitted(
    database: Database, books: Books, small_model: Model
) -> None:
    options: dict[str, object] = {"top_k": 3, "sources": ["ä.csv"], "weights": None}
    spec = JobSpec("one", small_model, options, "hash", 4, Dispatch.BROKER, Priority.HIGH, 7, 0.25)
    with database.transaction() as connection:
        job_id = create_job(connection, spec, save_model(connection, small_model).id)
    (job,) = (dict(zip(tables.jobs.c.keys(), row, strict=True)) for row in books.rows(tables.jobs))
    public_id, created_at = job.pop("public_id"), job.pop("created_at")
    assert len(public_id) == 11
    assert public_id.startswith("j")
    assert public_id.isalnum()
    assert created_at.tzinfo is not None
    assert {name: value for name, value in job.items() if value is not None} == {
        "id": job_id,
        "name": "one",
        "model_id": 1,
        "options": options,
        "sources_hash": "hash",
        "dispatch": "broker",
        "priority": "high",
        "retries": 7,
        "max_failure_rate": 0.25,
        "status": "pending",
        "total": 0,
        "skipped": 0,
    }


def test_a_name_that_is_taken_is_refused_in_a_sentence(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database, name="holiday")
    with pytest.raises(JobError, match="'holiday' exists already; look at it with `imagemill jobs"):
        submit(database, small.spec, [Reference("/x.jpg")])
    assert books.count(tables.jobs) == 1


def test_many_jobs_may_have_no_name(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    assert submit_small(database).id != submit_small(database).id


@pytest.mark.parametrize(
    ("images", "chunk_size", "ranges"),
    [
        (1, 4, [(0, 0)]),
        (4, 4, [(0, 3)]),
        (5, 4, [(0, 3), (4, 4)]),
        (3, 1, [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_chunks_cover_the_images_without_a_gap(
    database: Database,
    books: Books,
    submit_small: Callable[..., SmallJob],
    images: int,
    chunk_size: int,
    ranges: list[tuple[int, int]],
) -> None:
    submit_small(database, images, chunk_size)
    chunks = books.rows(tables.chunks, "number", "first", "last", "state", "token")
    assert chunks == [(n, *span, "queued", 0) for n, span in enumerate(ranges)]


_STRANGE = [
    "/a b/ü.jpg",
    "/tab\t\\N\n\r.jpg",
    "/half \udcff.jpg",
    "/nul \0.jpg",
    "x" * 20_000,
    "\\.",
]


def test_strange_references_come_back_or_are_spelled_out(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    spec = submit_small(database).spec
    submit(database, spec, [Reference(text, text) for text in _STRANGE])
    stored = books.rows(tables.images, "uri", "custom_id", "uri_hash")[10:]
    spelled = [text.replace("\udcff", "\\udcff").replace("\0", "\\x00") for text in _STRANGE]
    assert stored == [(text, text, uri_hash(text)) for text in spelled]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_hash_of_a_uri_fits_a_signed_64_bit_column(uri: str) -> None:
    assert -(2**63) <= uri_hash(uri) < 2**63


def test_the_hash_of_a_uri_never_changes() -> None:
    # Stored in databases: another value here makes their images impossible to find.
    assert uri_hash("/pictures/dog.jpg") == 8_848_594_362_194_381_853
    assert uri_hash("/pictures/dog.jpg") != uri_hash("/pictures/dog.JPG")


# ---------------------------------------------------------------- outcomes
def test_outcomes_come_back_whole(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database)
    facts = FileFacts(2**40, 'W/"etag \0"', bytes(range(32)), 640, 480)
    outcomes = [
        Outcome(0, (Score(7, 0.75), Score(2, 0.25)), facts=facts),
        Outcome(1, failure=Failure(FailureCode.NOT_FOUND, "no file \udcff\0"), facts=FileFacts()),
        Outcome(2, (Score(0, 1e-30),)),
    ]
    with database.transaction() as connection:
        save_outcomes(connection, small.id, small.model, outcomes)
    ids, key = small.model.label_ids, (small.id, 0)
    nothing = (None,) * 5
    assert books.rows(tables.outcomes) == [
        (*key, 1, ids[7], 0.75, None, None, 2**40, 'W/"etag \\x00"', bytes(range(32)), 640, 480),
        (small.id, 1, 1, None, None, "not_found", "no file \\udcff\\x00", *nothing),
        (small.id, 2, 1, ids[0], 1e-30, None, None, *nothing),
    ]
    assert books.rows(tables.predictions) == [
        (*key, 1, ids[7], 0.75),
        (*key, 2, ids[2], 0.25),
        (small.id, 2, 1, ids[0], 1e-30),
    ]


def test_a_second_outcome_for_an_image_is_a_bug_and_changes_nothing(
    database: Database, books: Books, submit_small: Callable[..., SmallJob]
) -> None:
    small = submit_small(database)

    def save(index: int) -> None:
        outcome = Outcome(index, (Score(0, 0.5),))
        database.attempt(lambda c: save_outcomes(c, small.id, small.model, [outcome]))

    save(3)
    with pytest.raises(sa.exc.IntegrityError):
        save(3)
    assert books.count(tables.outcomes) == 1
