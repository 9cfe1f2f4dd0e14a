"""One image: what was found in it, how that was made, and its past in other jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from answered_jobs import answer_jobs
from plans import explain, full_steps

from pipeline import ledger, tables
from pipeline.errors import JobError, UsageError
from pipeline.producer import submit
from pipeline.queries import image as image_module
from pipeline.queries.chunks import find_chunk
from pipeline.queries.image import get_image, get_uri, list_history
from pipeline.queries.jobs import get_job, get_job_head
from pipeline.records import (
    Failure,
    FailureCode,
    FileFacts,
    JobSpec,
    Outcome,
    Precision,
    Prediction,
    Reference,
    Score,
)
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database
    from pipeline.records import Model

    SubmitSmall = Callable[..., SmallJob]

FACTS = FileFacts(1234, "1700000000.5", bytes(range(32)), 640, 480)


@pytest.fixture
def small(database: Database, books: Books, submit_small: SubmitSmall) -> SmallJob:
    """A job ``holiday`` of ten images in chunks of four; the first chunk is done."""
    job = submit_small(database, name="holiday")
    outcomes = books.classified([0, 1, 2])
    outcomes[0] = replace(outcomes[0], facts=FACTS)
    ledger.finish(
        database, books.take(job.id), job.model, [*outcomes, *books.failed([3])], books.made
    )
    return job


def test_a_classified_image_shows_all_that_is_known_of_it(
    database: Database, small: SmallJob
) -> None:
    with database.reading() as conn:
        found, job = get_image(conn, "holiday", 0), get_job(conn, "holiday")
        assert get_image(conn, job.public_id, 0) == found
    assert (found.job, found.job_id, found.index) == ("holiday", job.public_id, 0)
    assert (found.uri, found.custom_id) == ("/pictures/0.jpg", "id-0")
    assert found.result is not None
    assert found.result.predictions == (
        Prediction(1, "label 0", 0, 0.9),
        Prediction(2, "label 9", 9, 0.1),
    )
    assert (found.size, found.version, found.sha256) == (1234, "1700000000.5", FACTS.sha256.hex())  # type: ignore[union-attr]
    assert (found.width, found.height) == (640, 480)
    assert found.chunk is not None
    assert (found.chunk.number, found.chunk.first, found.chunk.last) == (0, 0, 3)
    assert (found.chunk.engine, found.chunk.batch_sizes) == ("torch", (3, 1))


def test_a_failed_image_shows_why_and_an_open_one_that_it_is_open(
    database: Database, small: SmallJob
) -> None:
    with database.reading() as conn:
        failed, waiting = get_image(conn, "holiday", 3), get_image(conn, "holiday", 9)
    assert failed.result is not None
    assert failed.result.predictions is None
    assert failed.result.error == Failure(FailureCode.NOT_FOUND, "no file")
    assert (waiting.uri, waiting.result, waiting.sha256) == ("/pictures/9.jpg", None, None)
    assert waiting.chunk is not None
    assert (waiting.chunk.first, waiting.chunk.last, waiting.chunk.engine) == (8, 9, None)


@pytest.mark.parametrize("index", [10, -1, 2**31, -(10**20), 10**20])
def test_an_image_that_is_not_there_is_said_so_in_one_sentence(
    database: Database, small: SmallJob, index: int
) -> None:
    sentence = f"^job 'holiday' has no image {index}; its images are 0 to 9$"
    with database.reading() as conn, pytest.raises(JobError, match=sentence):
        get_image(conn, "holiday", index)
    with database.reading() as conn:
        head = get_job_head(conn, "holiday")
        with pytest.raises(JobError, match=sentence):
            get_uri(conn, head, index)


def test_the_uri_alone_is_read_from_its_table_alone(database: Database, small: SmallJob) -> None:
    with database.reading() as conn:
        head = get_job_head(conn, "holiday")
        known = get_image(conn, "holiday", 3).uri

    def read() -> None:
        with database.reading() as conn:
            assert get_uri(conn, head, 3) == known

    (plan,) = explain(database, read)
    assert "outcomes" not in plan.statement


def test_an_image_of_no_job_is_said_so_in_one_sentence(database: Database) -> None:
    with database.reading() as conn, pytest.raises(JobError, match="no job 'x'"):
        get_image(conn, "x", 0)


@pytest.mark.parametrize("size", [1, 3, 4, 10, 64])
def test_every_image_is_in_its_chunk_whatever_was_split(
    database: Database, books: Books, submit_small: SubmitSmall, size: int
) -> None:
    submit_small(database, images=7, chunk_size=2)
    job = submit_small(database, images=10, chunk_size=size)
    while True:
        with database.reading() as conn:
            found = [find_chunk(conn, job.id, index) for index in range(10)]
            assert find_chunk(conn, job.id, 10) is None
        assert all(one is not None and one.first <= i <= one.last for i, one in enumerate(found))
        # Always the last one, and so the children of the first ones last.
        whole = [one.number for one in found if one is not None and one.first != one.last]
        if not whole:
            break
        split(database, job.id, whole[-1])


def split(database: Database, job_id: int, number: int) -> None:
    """Split a chunk as its second loss does."""
    chunk = tables.chunks.c
    lost = {"state": "running", "lost": 1, "lease_until": sa.func.now()}
    with database.transaction() as conn:
        mine = (chunk.job_id == job_id, chunk.number == number)
        conn.execute(sa.update(tables.chunks).where(*mine).values(lost))
        conn.execute(sa.update(tables.jobs).values(dispatch="broker"))
    assert ledger.expire_leases(database).split == [job_id]


def test_the_history_of_a_uri_is_what_every_job_made_of_it_the_newest_first(
    database: Database, small_model: Model, books: Books
) -> None:
    other = replace(small_model, name="other", sha256="6b" * 32, precision=Precision.FAST)
    uris = ("/a.jpg", "/b.jpg", "/a.jpg")
    done: dict[str, list[Outcome]] = {
        "first": [Outcome(0, (Score(4, 0.5),)), *books.failed([2])],
        "second": [Outcome(0, (Score(5, 0.75),))],
        "third": [],
    }
    for name, model in (("first", small_model), ("second", other), ("third", small_model)):
        job_id = submit(database, JobSpec(name, model, {}, "h", 4), map(Reference, uris))
        with database.transaction() as conn:
            save_outcomes(conn, job_id, save_model(conn, model), done[name])
    ledger.cancel(database, 1)
    with database.reading() as conn:
        rows = list_history(conn, "/a.jpg")
        assert list_history(conn, "/a.jpg", limit=2) == rows[:2]
        assert list_history(conn, "/nothing.jpg") == list_history(conn, "nul\0") == []
        with pytest.raises(UsageError, match="a limit of at least 1"):
            list_history(conn, "/a.jpg", limit=0)
        first = get_job(conn, "first")
    assert [(row.job, row.index, row.label, row.score, row.code) for row in rows] == [
        ("third", 2, None, None, None),
        ("third", 0, None, None, None),
        ("second", 2, None, None, None),
        ("second", 0, "label 5", 0.75, None),
        ("first", 2, None, None, FailureCode.NOT_FOUND),
        ("first", 0, "label 4", 0.5, None),
    ]
    assert [(row.model, row.precision) for row in rows[2:]] == [
        *[("other", Precision.FAST)] * 2,
        *[("small", Precision.AUTO)] * 2,
    ]
    assert (rows[-1].job_id, rows[-1].finished_at) == (first.public_id, first.finished_at)
    assert rows[0].finished_at is None


def test_two_uris_with_one_hash_have_two_histories(
    database: Database, small: SmallJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_module, "uri_hash", lambda uri: 7)
    with database.transaction() as conn:
        conn.execute(sa.update(tables.images).values(uri_hash=7))
    with database.reading() as conn:
        assert [row.index for row in list_history(conn, "/pictures/2.jpg")] == [2]


def test_an_image_and_its_history_are_found_by_indexes(
    database: Database, small_model: Model
) -> None:
    answer_jobs(database, small_model)
    for read in (
        lambda conn: get_image(conn, "one", 700),
        lambda conn: list_history(conn, "/pictures/77.jpg"),
    ):
        plans = explain(database, lambda read=read: database.attempt(read, write=False))  # type: ignore[misc]
        assert full_steps(plans) == []
    (history,) = plans
    assert history.indexes("images") == {"ix_images_uri_hash"}
    assert history.indexes("outcomes") == {"pk_outcomes"}
