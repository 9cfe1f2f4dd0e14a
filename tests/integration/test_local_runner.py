"""The local runner: real databases, real loader processes, an easy model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from echo import Echo, echo_engine

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.errors import EngineError
from pipeline.producer import submit
from pipeline.queries.chunks import list_chunks
from pipeline.queries.jobs import count_failures, get_job_by_number
from pipeline.records import (
    Claim,
    Failure,
    FailureCode,
    ImageRef,
    Job,
    JobRules,
    JobSpec,
    JobStatus,
    Model,
    Outcome,
    Precision,
    Provenance,
    Reference,
)
from pipeline.storage.rows import load_stored_model
from workers.engine.engine import Engine
from workers.engine.requests import Answer
from workers.leases import Lease
from workers.processing import _final, process_chunk
from workers.runner import LocalRunner
from workers.watch.metrics import ChunkEnd


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = echo_engine()
    yield started
    started.close()


def submit_uris(database: Database, uris: list[str], chunk_size: int = 8) -> tuple[int, JobRules]:
    labels = tuple(f"label {n}" for n in range(256))
    model = Model("echo", "5a" * 32, Precision.AUTO, "1", labels)
    spec = JobSpec(None, model, {"top_k": 1}, "hash", chunk_size)
    job_id = submit(database, spec, map(Reference, uris))
    with database.reading() as connection:
        stored = load_stored_model(connection, get_job_by_number(connection, job_id).model_id)
    return job_id, JobRules(stored, top_k=1, retries=2)


def process(database: Database, claim: Claim, rules: JobRules, engine: Engine) -> ChunkEnd:
    images = [ImageRef(n, f"n:{n}") for n in range(claim.first, claim.last + 1)]
    return process_chunk(database, Lease(claim), images, rules, engine).end


def look(database: Database, job_id: int) -> Job:
    with database.reading() as connection:
        return get_job_by_number(connection, job_id)


def run(database: Database, job_id: int, rules: JobRules, engine: Engine) -> Job:
    ticks: list[int] = []
    runner = LocalRunner(database, job_id, rules, engine, lease_s=60)
    runner.run(8, lambda: ticks.append(1))
    assert ticks
    return look(database, job_id)


def test_every_image_of_a_job_gets_its_outcome_and_the_books_are_closed(
    database: Database, engine: Engine
) -> None:
    uris = [f"{'bad' if n % 10 == 3 else 'n'}:{n}" for n in range(100)]
    job_id, rules = submit_uris(database, uris)
    job = run(database, job_id, rules, engine)
    assert job.status == JobStatus.COMPLETED
    assert (job.counts.total, job.counts.succeeded, job.counts.failed) == (100, 90, 10)
    assert sum(job.histogram.values()) == 90
    with database.reading() as connection:
        assert count_failures(connection, job_id) == {"not_an_image": 10}
        chunks = list_chunks(connection, job_id, limit=100)
    assert {chunk.engine for chunk in chunks} == {"echo"}
    assert all(chunk.batch_sizes for chunk in chunks)


def test_a_decoder_that_dies_costs_its_job_one_image(database: Database, engine: Engine) -> None:
    uris = [f"{'segv' if n == 17 else 'n'}:{n}" for n in range(40)]
    job = run(database, *submit_uris(database, uris), engine)
    assert (job.counts.succeeded, job.counts.failed) == (39, 1)


def test_a_run_goes_on_where_a_dead_one_stopped(database: Database, engine: Engine) -> None:
    job_id, rules = submit_uris(database, [f"n:{n}" for n in range(40)])
    dead = ledger.claim_next(database, job_id, "dead", 3600)
    done = ledger.claim_next(database, job_id, "alive", 3600)
    assert dead
    assert done
    assert process(database, done, rules, engine) == ChunkEnd.DONE
    assert ledger.free_leases(database, job_id) == 1
    job = run(database, job_id, rules, engine)
    assert (job.status, job.counts.succeeded) == (JobStatus.COMPLETED, 40)
    assert process(database, dead, rules, engine) == ChunkEnd.FENCED, "the dead run wakes up"
    assert look(database, job_id).counts.succeeded == 40


def test_an_engine_that_gives_up_leaves_every_chunk_queued(database: Database) -> None:
    class Lost(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            raise RuntimeError("CUDA error: gone")

    engine = echo_engine(Lost())
    job_id, rules = submit_uris(database, [f"n:{n}" for n in range(40)])
    with pytest.raises(EngineError, match="device is lost"):
        run(database, job_id, rules, engine)
    engine.close()
    job = look(database, job_id)
    assert (job.status, job.counts.pending) == (JobStatus.RUNNING, 40)
    assert _states(database, job_id) == {"queued"}


def test_an_interrupted_run_gives_its_chunks_back(database: Database) -> None:
    engine = echo_engine()
    job_id, rules = submit_uris(database, ["n:1"] * 20 + ["hang:2"] * 20)

    def interrupt() -> None:
        if look(database, job_id).counts.succeeded:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalRunner(database, job_id, rules, engine, lease_s=60).run(8, interrupt)
    assert _states(database, job_id) <= {"queued", "done"}
    assert look(database, job_id).counts.succeeded >= 8


def test_leases_are_renewed_while_a_chunk_takes_long(database: Database) -> None:
    lease_s, held = 0.6, threading.Event()

    class Slow(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            held.wait(30)

    engine = echo_engine(Slow())
    job_id, rules = submit_uris(database, [f"n:{n}" for n in range(4)])
    leases: list[object] = []

    def note_lease() -> None:
        with database.reading() as connection:
            (chunk,) = list_chunks(connection, job_id, limit=1)
        if chunk.lease_until and chunk.lease_until not in leases:
            leases.append(chunk.lease_until)
        if len(leases) >= 3:
            held.set()

    LocalRunner(database, job_id, rules, engine, lease_s).run(8, note_lease)
    engine.close()
    assert len(leases) >= 3
    assert look(database, job_id).status == JobStatus.COMPLETED


def test_only_far_away_images_that_failed_for_a_passing_reason_are_left_open() -> None:
    images = [ImageRef(0, "/local.jpg"), ImageRef(1, "https://far/a.jpg"), ImageRef(2, "s3://b/c")]
    passing = Failure(FailureCode.TIMEOUT, "slow")
    final = Failure(FailureCode.NOT_FOUND, "gone")
    outcomes = [Outcome(0, failure=passing), Outcome(1, failure=passing), Outcome(2, failure=final)]
    assert [o.index for o in _final(images, outcomes, may_retry=True)] == [0, 2]
    assert [o.index for o in _final(images, outcomes, may_retry=False)] == [0, 1, 2]


class Asks:
    """An engine whose images all come from a host that wants to be left alone."""

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        failure = Failure(FailureCode.HTTP_429, "too many", retry_after_s=300.0)
        future: Future[Answer] = Future()
        outcomes = tuple(Outcome(image.index, failure=failure) for image in images)
        future.set_result(Answer(outcomes, Provenance()))
        return future


def test_a_chunk_waits_for_as_long_as_a_host_asks(database: Database) -> None:
    job_id, rules = submit_uris(database, ["https://host/a.jpg"])
    claim = ledger.claim_next(database, job_id, "me", 60)
    assert claim is not None
    images = [ImageRef(0, "https://host/a.jpg")]
    assert process_chunk(database, Lease(claim), images, rules, Asks()).end is ChunkEnd.QUEUED_AGAIN
    pause_s = ledger.seconds_to_next(database, job_id)
    assert pause_s is not None
    assert 290 < pause_s <= 300


def test_what_fails_for_a_passing_reason_is_tried_again_and_waited_for(
    database: Database, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.processing._BACK_OFF_S", 0.3)
    job_id, rules = submit_uris(database, ["n:1", f"far:/{tmp_path}/mark:2", "n:3"])
    job = run(database, job_id, rules, engine)
    assert (job.status, job.counts.succeeded) == (JobStatus.COMPLETED, 3)
    with database.reading() as connection:
        (chunk,) = list_chunks(connection, job_id, limit=5)
    assert chunk.retries == 1


def test_what_never_passes_becomes_final_after_the_retries(
    database: Database, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.processing._BACK_OFF_S", 0.1)
    job_id, rules = submit_uris(database, ["n:1", "far://proc/nowhere/mark:2"])
    job = run(database, job_id, rules, engine)
    assert (job.status, job.counts.succeeded, job.counts.failed) == (JobStatus.COMPLETED, 1, 1)
    with database.reading() as connection:
        (chunk,) = list_chunks(connection, job_id, limit=5)
    assert chunk.retries == rules.retries


def _states(database: Database, job_id: int) -> set[str]:
    with database.reading() as connection:
        return {str(chunk.state) for chunk in list_chunks(connection, job_id, limit=100)}
