"""With --skip-known a job leaves out what the same model has classified already."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from plans import explain, full_steps

from pipeline import ledger, tables
from pipeline.database.database import Database
from pipeline.errors import SourceError
from pipeline.fetch.limits import FetchLimits
from pipeline.known.images import KnownImages
from pipeline.producer import submit
from pipeline.queries.jobs import get_job_by_number, list_open_images
from pipeline.records import (
    Failure,
    FailureCode,
    FileFacts,
    JobSpec,
    Outcome,
    Precision,
    Provenance,
    Reference,
    Score,
)
from pipeline.storage.deletion import delete_job
from pipeline.storage.rows import save_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from integration.conftest import Books

    from pipeline.records import Job, Model

LIMITS = FetchLimits(2**20)


@dataclass(frozen=True, slots=True)
class Archive:
    """A folder of files, and jobs over them that are submitted and carried here."""

    database: Database
    model: Model
    folder: Path

    def write(self, *names: str, data: bytes = b"picture") -> list[Reference]:
        """Write files, and return the references to them."""
        for name in names:
            (self.folder / name).write_bytes(data)
        return [Reference(str(self.folder / name)) for name in names]

    def submit(
        self, references: Iterable[Reference], model: Model | None = None, top_k: int = 3
    ) -> Job:
        """Submit a job that leaves out what is known."""
        model = model or self.model
        known = KnownImages(self.database, model, top_k, LIMITS)
        spec = JobSpec(None, model, {"top_k": top_k}, "hash", 4)
        return self.read(submit(self.database, spec, references, known=known))

    def read(self, job_id: int) -> Job:
        with self.database.reading() as connection:
            return get_job_by_number(connection, job_id)

    def carry(self, job: Job, failing: tuple[str, ...] = (), reused: int = 0) -> Job:
        """Finish all of a job, with the facts that the files have now."""
        with self.database.transaction() as connection:
            stored = save_model(connection, self.model)
        stored = replace(stored, id=job.model_id)
        top_k = job.options["top_k"]
        assert isinstance(top_k, int)
        while claim := ledger.claim_next(self.database, job.id, "test", 60):
            with self.database.reading() as connection:
                images = list_open_images(connection, job.id, claim.first, claim.last)
            outcomes = [_outcome(image.index, image.uri, top_k, failing) for image in images]
            assert ledger.finish(self.database, claim, stored, outcomes, Provenance())
        ledger.complete(self.database, job.id)
        return self.read(job.id)

    def left(self, job: Job) -> list[str]:
        """Return the names of the files that are in a job."""
        with self.database.reading() as connection:
            found = list_open_images(connection, job.id, 0, job.counts.total)
        return [Path(image.uri).name for image in found]


def _outcome(index: int, uri: str, top_k: int, failing: tuple[str, ...]) -> Outcome:
    seen = Path(uri).stat()
    facts = FileFacts(seen.st_size, str(seen.st_mtime_ns), b"%d" % index)
    if Path(uri).name in failing:
        return Outcome(index, failure=Failure(FailureCode.DECODE_ERROR, "bad"), facts=facts)
    scores = tuple(Score(n, 0.5 / (n + 1)) for n in range(min(top_k, 10)))
    return Outcome(index, scores, facts=facts)


@pytest.fixture
def here(database: Database, small_model: Model, tmp_path: Path) -> Archive:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return Archive(database, small_model, folder)


def test_a_folder_that_has_grown_gives_a_job_of_the_new_images_alone(here: Archive) -> None:
    old = here.write("a.jpg", "b.jpg", "c.jpg")
    first = here.carry(here.submit(old))
    assert (first.counts.total, first.skipped) == (3, 0)
    new = here.write("aa.jpg", "d.jpg")
    second = here.submit([old[0], new[0], old[1], old[2], new[1]])
    assert (second.counts.total, second.skipped, str(second.status)) == (2, 3, "pending")
    assert here.left(second) == ["aa.jpg", "d.jpg"]
    here.carry(second)
    third = here.submit([*old, *new])
    assert (third.counts.total, third.skipped) == (0, 5)


def test_a_job_of_which_all_is_known_has_no_images_and_is_completed_at_once(
    here: Archive, books: Books
) -> None:
    old = here.write("a.jpg", "b.jpg")
    here.carry(here.submit(old))
    again = here.submit(old)
    assert (again.counts.total, again.skipped, str(again.status)) == (0, 2, "completed")
    assert again.finished_at is not None
    assert books.count(tables.images) == 2


def test_no_reference_at_all_is_still_an_error(here: Archive, books: Books) -> None:
    with pytest.raises(SourceError, match="no images at all"):
        here.submit([])
    assert books.count(tables.jobs) == 0


@pytest.mark.parametrize("change", ["bytes", "modified time", "size with the same time", "gone"])
def test_a_file_that_changed_at_the_same_path_is_not_known(here: Archive, change: str) -> None:
    [old] = here.write("a.jpg")
    here.carry(here.submit([old]))
    seen = Path(old.uri).stat()
    if change == "bytes":
        here.write("a.jpg", data=b"another")
        os.utime(old.uri, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    elif change == "modified time":
        os.utime(old.uri, ns=(seen.st_atime_ns, seen.st_mtime_ns - 1))
    elif change == "gone":
        Path(old.uri).unlink()
    else:
        here.write("a.jpg", data=b"longer than before")
        os.utime(old.uri, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert here.submit([old]).skipped == 0


def test_a_file_that_is_put_back_as_it_was_is_known_again(here: Archive) -> None:
    [old] = here.write("a.jpg")
    here.carry(here.submit([old]))
    seen = Path(old.uri).stat()
    here.write("a.jpg", data=b"something else")
    here.carry(here.submit([old]))
    assert here.submit([old]).skipped == 1
    here.write("a.jpg")
    os.utime(old.uri, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert here.submit([old]).skipped == 1


def test_another_model_another_precision_or_other_labels_know_nothing(
    here: Archive, small_model: Model
) -> None:
    old = here.write("a.jpg", "b.jpg")
    here.carry(here.submit(old))
    others = (
        replace(small_model, sha256="77" * 32),
        replace(small_model, precision=Precision.EXACT),
        replace(small_model, preprocessing="2"),
        replace(small_model, labels=small_model.labels[::-1]),
    )
    for other in others:
        with here.database.transaction() as connection:
            save_model(connection, other)
        assert here.submit(old, other).skipped == 0
    assert here.submit(old).skipped == 2


def test_an_answer_with_fewer_predictions_than_are_asked_for_is_not_known(here: Archive) -> None:
    old = here.write("a.jpg")
    here.carry(here.submit(old, top_k=3))
    assert here.submit(old, top_k=2).skipped == 1
    more = here.submit(old, top_k=4)
    assert more.skipped == 0
    here.carry(more)
    assert here.submit(old, top_k=4).skipped == 1
    # The model has ten classes: there are no more than ten predictions.
    here.carry(here.submit(old, top_k=100))
    assert here.submit(old, top_k=1000).skipped == 1


def test_a_failure_is_not_known_until_its_retry_succeeds(here: Archive) -> None:
    old = here.write("a.jpg", "b.jpg")
    job = here.carry(here.submit(old), failing=("b.jpg",))
    again = here.submit(old)
    assert (again.skipped, here.left(again)) == (1, ["b.jpg"])
    assert ledger.retry(here.database, job.id) == 1
    here.carry(here.read(job.id))
    assert here.submit(old).skipped == 2


def test_an_image_without_an_outcome_is_not_known(here: Archive) -> None:
    old = here.write("a.jpg")
    here.submit(old)
    assert here.submit(old).skipped == 0


def test_a_deleted_job_knows_nothing_also_while_it_is_being_deleted(
    here: Archive, books: Books
) -> None:
    old = here.write("a.jpg")
    job = here.carry(here.submit(old))
    books.change(tables.jobs, submitted_at=None)
    assert here.submit(old).skipped == 0
    delete_job(here.database, job.id)
    assert here.submit(old).skipped == 0


def test_duplicates_in_one_list_are_left_out_or_kept_alike(here: Archive) -> None:
    [old] = here.write("a.jpg")
    first = here.submit([old, old])
    assert (first.counts.total, first.skipped) == (2, 0)
    here.carry(first)
    [new] = here.write("b.jpg")
    second = here.submit([old, new, old, new, old])
    assert (second.counts.total, second.skipped) == (2, 3)


def test_what_a_source_says_of_an_image_is_believed_without_a_look(here: Archive) -> None:
    [old] = here.write("a.jpg")
    here.carry(here.submit([old]))
    seen = Path(old.uri).stat()
    Path(old.uri).unlink()
    same = FileFacts(seen.st_size, str(seen.st_mtime_ns))
    assert here.submit([replace(old, facts=same)]).skipped == 1
    for other in (replace(same, size=1), replace(same, version="1"), FileFacts()):
        assert here.submit([replace(old, facts=other)]).skipped == 0


def test_two_uris_with_one_hash_are_not_taken_for_each_other(
    here: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.storage.rows.uri_hash", lambda _: 7)
    monkeypatch.setattr("pipeline.known.images.uri_hash", lambda _: 7)
    old, new = here.write("a.jpg", "b.jpg")
    here.carry(here.submit([old]))
    os.utime(new.uri, ns=(0, Path(old.uri).stat().st_mtime_ns))
    assert here.left(here.submit([new, old])) == ["b.jpg"]


def test_names_that_no_database_takes_as_they_are_harm_nothing(here: Archive) -> None:
    strange = [Reference("/a\udcff.jpg"), Reference("/b\0.jpg"), Reference("invalid:")]
    [ordinary] = here.write("ünï☃ %_'\".jpg")
    job = here.submit([*strange, ordinary])
    assert (job.counts.total, job.skipped) == (4, 0)
    assert here.submit([ordinary]).skipped == 0


def store_many(here: Archive, count: int) -> Iterable[Reference]:
    """Let a job have classified so many images that are no files; return references to them."""
    facts = FileFacts(10, "1")
    spec = JobSpec(None, here.model, {"top_k": 3}, "hash", 64)
    job_id = submit(here.database, spec, (Reference(f"/p/{n:06}.jpg") for n in range(count)))
    images, outcomes, predictions = tables.images, tables.outcomes, tables.predictions
    mine = images.c.job_id == job_id
    outcome = {"model_id": 1, "label_id": 1, "score": 0.5, "size": 10, "version": "1"}
    prediction = {"label_id": 1, "score": 0.5}
    with here.database.transaction() as connection:
        _insert_for_all(connection, outcomes, mine, outcome)
        for rank in (1, 2, 3):
            _insert_for_all(connection, predictions, mine, {"rank": rank, **prediction})
    return (Reference(f"/p/{n:06}.jpg", facts=facts) for n in range(count))


def _insert_for_all(
    connection: sa.Connection, table: sa.Table, mine: sa.ColumnElement[bool], values: dict[str, Any]
) -> None:
    """Insert a row with the same values for each image of a job."""
    image = tables.images.c
    row = sa.select(image.job_id, image.index, *map(sa.literal, values.values())).where(mine)
    connection.execute(sa.insert(table).from_select(["job_id", "index", *values], row))


def test_of_ten_thousand_and_a_few_new_ones_the_new_ones_are_left_at_flat_memory(
    here: Archive,
) -> None:
    old = store_many(here, 10_000)
    known = KnownImages(here.database, here.model, 3, LIMITS)
    asked: list[str] = []
    sa.event.listen(here.database.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    new = [Reference(f"/p/new-{n}.jpg") for n in range(3)]
    tracemalloc.start()
    assert list(known.leave_out(chain(new, old))) == new
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()
    assert known.skipped == 10_000
    assert sum("images" in statement for statement in asked) <= 6


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "not analyzed"])
def test_the_question_goes_from_index_to_index(here: Archive, analyzed: bool) -> None:
    old = store_many(here, 500)
    if analyzed:
        with here.database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    known = KnownImages(here.database, here.model, 3, LIMITS)
    plans = explain(here.database, lambda: list(known.leave_out(old)))
    assert known.skipped == 500
    assert full_steps(plans) == []
    used = set().union(*(plan.indexes("images") for plan in plans))
    assert used == {"ix_images_uri_hash"}
