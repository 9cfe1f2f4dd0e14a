"""A submission is whole or not at all, however it ends and whoever else submits."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pipeline import ledger, producer, tables
from pipeline.errors import JobError, SourceError
from pipeline.producer import drop_half_job, submit
from pipeline.records import JobSpec, Model, Reference
from pipeline.storage.deletion import delete_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Faults
    from integration.conftest import Books

    from pipeline.database.database import Database


@pytest.fixture
def spec(small_model: Model) -> JobSpec:
    return JobSpec("holiday", small_model, {"top_k": 3}, "hash", chunk_size=4)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight images in a piece, not fifty thousand."""
    monkeypatch.setattr(producer, "_PIECE", 9)


def pictures(count: int, act: Callable[[int], None] = lambda _: None) -> Iterator[Reference]:
    for number in range(count):
        act(number)
        yield Reference(f"/pictures/{number}.jpg", f"id-{number}")


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("count", [1, 8, 9, 16, 17, 30])
def test_a_job_has_every_reference_once_and_in_order(
    database: Database, books: Books, spec: JobSpec, count: int
) -> None:
    job_id = submit(database, spec, pictures(count))
    stored = books.rows(tables.images, "job_id", "index", "uri", "custom_id")
    assert stored == [(job_id, n, f"/pictures/{n}.jpg", f"id-{n}") for n in range(count)]
    spans = books.rows(tables.chunks, "number", "first", "last")
    assert spans == [(n, 4 * n, min(4 * n + 3, count - 1)) for n in range((count + 3) // 4)]
    job = books.look(tables.jobs)
    assert (job["total"], job["status"]) == (count, "pending")
    assert job["submitted_at"] is not None


@pytest.mark.usefixtures("small_pieces")
def test_nothing_can_be_claimed_while_pieces_are_missing(
    database: Database, books: Books, spec: JobSpec
) -> None:
    claims = []

    def try_to_claim(number: int) -> None:
        if number == 29:
            job = books.look(tables.jobs)
            assert (job["total"], job["submitted_at"]) == (16, None)
            claims.append(ledger.claim_next(database, job["id"], "early", 60))

    job_id = submit(database, spec, pictures(30, try_to_claim))
    assert claims == [None]
    assert ledger.claim_next(database, job_id, "in time", 60) is not None


def test_no_reference_at_all_is_a_sentence_and_no_job(
    database: Database, books: Books, spec: JobSpec
) -> None:
    with pytest.raises(SourceError, match="no images at all; check the sources"):
        submit(database, spec, pictures(0))
    assert books.count(tables.jobs) == 0


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("number", [0, 3, 9, 29])
@pytest.mark.parametrize("error", [SourceError("line 7 is broken"), KeyboardInterrupt()])
def test_a_source_that_breaks_leaves_no_half_job(
    database: Database, books: Books, spec: JobSpec, number: int, error: BaseException
) -> None:
    def break_at(here: int) -> None:
        if here == number:
            raise error

    with pytest.raises(type(error)) as caught:
        submit(database, spec, pictures(30, break_at))
    assert caught.value is error
    left = [books.count(table) for table in (tables.jobs, tables.images, tables.chunks)]
    assert left == [0, 0, 0]


def die_half_way(database: Database, spec: JobSpec) -> int:
    """Leave what a killed producer leaves: a job with its first pieces."""
    half: list[int] = []

    class Killed(BaseException):
        pass

    def kill(number: int) -> None:
        if number == 29:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(producer, "delete_job", lambda _, job_id: half.append(job_id))
        with pytest.raises(Killed):
            submit(database, spec, pictures(30, kill))
    return half[0]


@pytest.mark.usefixtures("small_pieces")
def test_the_half_job_of_a_dead_producer_is_replaced(
    database: Database, books: Books, spec: JobSpec
) -> None:
    half = die_half_way(database, spec)
    assert books.count(tables.images) == 16
    job_id = submit(database, spec, pictures(5))
    assert job_id != half
    assert books.rows(tables.jobs, "id", "total") == [(job_id, 5)]
    assert {row[0] for row in books.rows(tables.images, "job_id")} == {job_id}


@pytest.mark.usefixtures("small_pieces")
def test_a_half_job_outlives_a_submission_whose_source_is_broken(
    database: Database, books: Books, spec: JobSpec
) -> None:
    half = die_half_way(database, spec)
    with pytest.raises(SourceError):
        submit(database, spec, pictures(0))
    assert books.look(tables.jobs)["id"] == half


@pytest.mark.usefixtures("small_pieces")
def test_only_a_half_job_of_that_very_name_is_dropped(database: Database, spec: JobSpec) -> None:
    submit(database, spec, pictures(5))
    assert not drop_half_job(database, "holiday")
    assert not drop_half_job(database, "other")


@pytest.mark.usefixtures("small_pieces")
def test_a_producer_whose_job_was_replaced_stops_and_adds_nothing(
    database: Database, books: Books, spec: JobSpec
) -> None:
    other: list[int] = []

    def be_faster(number: int) -> None:
        if number == 20:
            other.append(submit(database, spec, pictures(3)))

    with pytest.raises(JobError, match="replaced by another of its name"):
        submit(database, spec, pictures(30, be_faster))
    assert books.rows(tables.jobs, "id", "total") == [(other[0], 3)]
    assert books.count(tables.images) == 3


@pytest.mark.usefixtures("small_pieces")
def test_a_producer_whose_job_was_deleted_stops_and_adds_nothing(
    database: Database, books: Books, spec: JobSpec
) -> None:
    def delete(number: int) -> None:
        if number == 20:
            delete_job(database, books.look(tables.jobs)["id"])

    with pytest.raises(JobError, match="was deleted"):
        submit(database, spec, pictures(30, delete))
    assert [books.count(table) for table in (tables.jobs, tables.images)] == [0, 0]


@pytest.mark.usefixtures("small_pieces")
def test_a_commit_of_unknown_outcome_makes_no_second_job_and_no_second_piece(
    database: Database, books: Books, spec: JobSpec, faults: Faults
) -> None:
    for landed in (True, False):
        faults.at_every_commit(database, landed=landed)
        job_id = submit(database, spec, pictures(30))
        assert books.rows(tables.jobs, "id", "total") == [(job_id, 30)]
        assert books.count(tables.images) == 30
        delete_job(database, job_id)


def test_a_long_submission_takes_flat_memory(
    database: Database, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "_PIECE", 500)
    peaks = []

    def measure(number: int) -> None:
        if number in (5_000, 19_999):
            peaks.append(tracemalloc.get_traced_memory()[1])

    tracemalloc.start()
    try:
        submit(database, spec, pictures(20_000, measure))
    finally:
        tracemalloc.stop()
    # Four times the references, and not a tenth more memory.
    assert peaks[1] < peaks[0] * 1.1
