"""What people read of jobs and chunks: live while a job runs, its books afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from pipeline import tables
from pipeline.errors import JobError, UsageError
from pipeline.ledger import claim_next, complete, finish, give_back
from pipeline.queries.chunks import list_chunks
from pipeline.queries.jobs import (
    count_failures,
    count_jobs,
    find_job,
    get_counts,
    get_job,
    get_job_by_number,
    get_job_head,
    list_jobs,
    list_open_images,
)
from pipeline.queries.labels import LabelCount, list_labels
from pipeline.records import (
    ChunkState,
    Counts,
    Failure,
    FailureCode,
    ImageRef,
    JobStatus,
    Outcome,
    Precision,
    Provenance,
    Score,
)
from pipeline.storage.rows import create_job, save_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.database.database import Database

    SubmitSmall = Callable[..., Any]


def classified(index: int, label: int = 0) -> Outcome:
    return Outcome(index, (Score(label, 0.75), Score((label + 1) % 10, 0.25)))


def failed(index: int, code: FailureCode = FailureCode.NOT_FOUND) -> Outcome:
    return Outcome(index, failure=Failure(code, "no such file"))


def finish_chunk(database: Database, job: Any, outcomes: dict[int, Outcome] | None = None) -> None:
    """Finish the job's next chunk; an image that is not named is classified as label 0."""
    claim = claim_next(database, job.id, "worker", 60)
    assert claim is not None
    found = [(outcomes or {}).get(n, classified(n)) for n in range(claim.first, claim.last + 1)]
    assert finish(database, claim, job.model, found, Provenance())


def finish_job(database: Database, job: Any, chunks: int, outcomes: dict[int, Outcome]) -> None:
    for _ in range(chunks):
        finish_chunk(database, job, outcomes)
    assert complete(database, job.id)


def statements_of(database: Database, read: Callable[[sa.Connection], object]) -> int:
    seen = []
    with database.reading() as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *call: seen.append(call[2]))
        read(conn)
    return len([statement for statement in seen if statement != "BEGIN"])


def test_a_job_is_found_by_its_id_and_by_its_name(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=10, name="holiday")
    with database.reading() as conn:
        found = get_job(conn, "holiday")
        assert get_job(conn, found.public_id) == found
        assert get_job_head(conn, "holiday").id == job.id
        assert get_job_by_number(conn, job.id) == found
    assert (found.id, found.handle, found.status) == (job.id, "holiday", JobStatus.PENDING)
    assert (found.model_name, found.precision) == ("small", Precision.AUTO)
    assert found.options["top_k"] == 3
    assert found.counts == Counts(total=10)
    assert found.submitted_at is not None
    assert found.submitted_at.utcoffset() is not None
    assert found.histogram == {}


def test_an_id_goes_before_a_name_that_looks_the_same(
    database: Database, submit_small: SubmitSmall
) -> None:
    first = submit_small(database)
    with database.reading() as conn:
        public_id = list_jobs(conn)[0].public_id
    submit_small(database, name=public_id)
    with database.reading() as conn:
        assert get_job(conn, public_id).id == first.id


@pytest.mark.parametrize("key", ["nothing", "", "nul\0", "half\udcff"])
def test_a_job_that_is_not_there_is_said_so_in_one_sentence(database: Database, key: str) -> None:
    with database.reading() as conn:
        assert find_job(conn, key) is None
        for get in (get_job, get_job_head):
            with pytest.raises(JobError, match=r"^no job '.*'; `imagemill jobs list` shows them$"):
                get(conn, key)
        for look in (get_counts, get_job_by_number):
            with pytest.raises(JobError, match="job number 7 is gone"):
                look(conn, 7)


def test_the_counts_of_a_running_job_are_sums_over_its_chunks(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=10, chunk_size=4, name="live")
    finish_chunk(database, job, {1: failed(1)})
    with database.reading() as conn:
        found = get_job(conn, "live")
        assert found.counts == get_counts(conn, job.id) == Counts(10, succeeded=3, failed=1)
    assert found.counts.pending == 6


def test_a_cancelled_chunk_counts_the_images_that_have_no_outcome(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=10, chunk_size=4, name="live")
    claim = claim_next(database, job.id, "worker", 60)
    assert claim is not None
    found = [classified(0), failed(1)]
    assert finish(database, claim, job.model, found, Provenance(), retry_in_s=60)
    with database.transaction() as conn:
        conn.execute(
            sa.update(tables.chunks)
            .values(state="cancelled")
            .where(tables.chunks.c.number.in_([0, 2]))
        )
    with database.reading() as conn:
        counts = get_counts(conn, job.id)
    assert counts == Counts(10, succeeded=1, failed=1, cancelled=4)
    assert counts.pending == 4


def test_the_counts_of_a_finished_job_are_its_books(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=10, chunk_size=4, name="done")
    finish_job(database, job, 3, {2: failed(2), 3: classified(3, 7)})
    with database.transaction() as conn:
        # Were they summed again, this would show.
        conn.execute(sa.delete(tables.chunks))
    with database.reading() as conn:
        found = get_job(conn, "done")
    assert found.status is JobStatus.COMPLETED
    assert found.counts == Counts(10, succeeded=9, failed=1)
    assert found.histogram == {"label 0": 8, "label 7": 1}
    assert found.finished_at is not None


def test_a_job_that_is_not_submitted_yet_has_no_images_to_wait_for(
    database: Database, submit_small: SubmitSmall
) -> None:
    spec = submit_small(database).spec
    with database.transaction() as conn:
        job_id = create_job(conn, spec, save_model(conn, spec.model).id)
    with database.reading() as conn:
        assert get_counts(conn, job_id) == Counts()
        assert list_jobs(conn)[0].submitted_at is None


def test_jobs_are_listed_newest_first_in_pages(
    database: Database, submit_small: SubmitSmall
) -> None:
    made = [submit_small(database, images=2).id for _ in range(5)]
    with database.reading() as conn:
        assert count_jobs(conn) == 5
        page = list_jobs(conn, limit=2)
        assert [job.id for job in page] == [made[4], made[3]]
        rest = list_jobs(conn, limit=10, before=page[-1].id)
        assert [job.id for job in rest] == [made[2], made[1], made[0]]
        with pytest.raises(UsageError, match="ask for a limit of at least 1"):
            list_jobs(conn, limit=-1)


def test_a_list_of_jobs_costs_two_queries_however_many_there_are(
    database: Database, submit_small: SubmitSmall
) -> None:
    jobs = [submit_small(database, images=2) for _ in range(4)]
    finish_chunk(database, jobs[1], {0: failed(0)})
    assert statements_of(database, list_jobs) == 2
    with database.reading() as conn:
        counts = {job.id: job.counts for job in list_jobs(conn)}
    assert counts.pop(jobs[1].id) == Counts(2, succeeded=1, failed=1)
    assert set(counts.values()) == {Counts(2)}


def test_failures_are_counted_by_code_the_most_frequent_first(
    database: Database, submit_small: SubmitSmall
) -> None:
    job, other = submit_small(database, images=8), submit_small(database, images=4)
    finish_chunk(database, job, {0: failed(0, FailureCode.TRUNCATED), 1: failed(1)})
    finish_chunk(database, job, {4: failed(4)})
    finish_chunk(database, other, {0: failed(0)})
    with database.reading() as conn:
        assert list(count_failures(conn, job.id).items()) == [("not_found", 2), ("truncated", 1)]


def test_labels_are_counted_by_rank_one_the_most_frequent_first(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=4)
    finish_chunk(database, job, {0: classified(0, 5), 1: classified(1, 5), 2: failed(2)})
    with database.reading() as conn:
        assert list_labels(conn, job.id) == [
            LabelCount("label 5", 5, 2),
            LabelCount("label 0", 0, 1),
        ]


def test_the_open_images_of_a_range_are_those_without_an_outcome_in_order(
    database: Database, submit_small: SubmitSmall
) -> None:
    submit_small(database, images=8)
    job = submit_small(database, images=8)
    claim = claim_next(database, job.id, "worker", 60)
    assert claim is not None
    found = [classified(2), failed(0)]
    assert finish(database, claim, job.model, found, Provenance(), retry_in_s=0)
    with database.reading() as conn:
        assert list_open_images(conn, job.id, 0, 3) == [
            ImageRef(1, "/pictures/1.jpg"),
            ImageRef(3, "/pictures/3.jpg"),
        ]
        assert [image.index for image in list_open_images(conn, job.id, 3, 5)] == [3, 4, 5]
        assert list_open_images(conn, job.id, 8, 100) == []
    assert statements_of(database, lambda conn: list_open_images(conn, job.id, 0, 7)) == 1


def test_a_chunk_shows_where_it_is_and_how_it_was_made(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=6, chunk_size=4)
    claim = claim_next(database, job.id, "host:1", 60)
    assert claim is not None
    made = Provenance((8, 4), 1.5, 2.5, 3.5, 4.5, "torch", "cpu", {"torch": "2.14"})
    finish(database, claim, job.model, [classified(n) for n in range(4)], made)
    with database.reading() as conn:
        done, queued = list_chunks(conn, job.id)
        assert list_chunks(conn, job.id, limit=1, after=done.number) == [queued]
    assert (done.first, done.last, done.state, done.succeeded) == (0, 3, ChunkState.DONE, 4)
    assert (done.batch_sizes, done.queue_wait_ms, done.read_ms) == ((8, 4), 1.5, 2.5)
    assert (done.decode_ms, done.forward_ms, done.worker) == (3.5, 4.5, "host:1")
    assert (done.engine, done.device, done.versions) == ("torch", "cpu", {"torch": "2.14"})
    assert done.store_ms is not None
    assert done.started_at is not None
    assert done.finished_at is not None
    assert (queued.first, queued.last, queued.state) == (4, 5, ChunkState.QUEUED)
    assert (queued.batch_sizes, queued.versions, queued.engine) == ((), {}, None)


def test_a_chunk_given_back_shows_when_it_may_be_claimed(
    database: Database, submit_small: SubmitSmall
) -> None:
    job = submit_small(database, images=4)
    claim = claim_next(database, job.id, "worker", 60)
    assert claim is not None
    assert give_back(database, claim, retry_in_s=30)
    with database.reading() as conn:
        (chunk,) = list_chunks(conn, job.id)
    assert (chunk.state, chunk.worker) == (ChunkState.QUEUED, None)
    assert chunk.not_before is not None
