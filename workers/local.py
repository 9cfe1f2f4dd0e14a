"""A local job: submitted, carried and finished by this process, with no server at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from pipeline import ledger
from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.errors import JobError
from pipeline.locks import hold_run
from pipeline.producer import submit
from pipeline.queries.jobs import count_failures, find_job, get_job_by_number
from pipeline.records import Dispatch, Job, JobSpec, JobStatus
from pipeline.reports import Interrupted, RunReport
from pipeline.sources import SourceOptions, read_sources, sources_hash
from pipeline.storage.deletion import delete_job
from pipeline.storage.rows import load_stored_model
from workers.engine.layout import find_device, start_engine
from workers.processing import JobRules
from workers.runner import LocalRunner
from workers.weights import Weights, find_weights, identify

#: Progress is a sum over chunks; it may take this share of the time at most.
_PROGRESS_SHARE = 0.05
_PROGRESS_S = 0.5


@dataclass(frozen=True, slots=True)
class LocalRun:
    """Everything that one call of ``run`` was told."""

    database: Database
    sources: tuple[str, ...]
    source_options: SourceOptions
    settings: Settings
    name: str | None
    stdin: BinaryIO | TextIO | None
    on_progress: Callable[[Job], None]


def run_here(run: LocalRun) -> RunReport:
    """Submit the job, or find the one of that name, carry what is open of it, and report.

    Raises JobError when a live run holds it or it is not the job that was asked for, Interrupted,
    and whatever the weights, the sources or the database have to say.
    """
    started = time.perf_counter()
    find_device(run.settings.device)
    weights = find_weights(run.settings.weights, run.settings.labels)
    spec = _make_spec(run, weights)
    with ExitStack() as held:
        found = _hold_by_name(run, held)
        if found is None:
            references = read_sources(run.sources, run.source_options, run.stdin)
            job = _read_job(run.database, submit(run.database, spec, references))
        else:
            job = found
            _check_same(job, spec)
        if run.name is None:
            held.enter_context(hold_run(run.database.address, job.handle))
        if job.status != JobStatus.COMPLETED:
            _carry(run, job, weights)
        ended = _read_job(run.database, job.id)
        with run.database.reading() as connection:
            failures = count_failures(connection, job.id)
    return RunReport(
        job=ended,
        failures=failures,
        images=job.counts.pending - ended.counts.pending,
        seconds=time.perf_counter() - started,
        resumed=found is not None,
        was_complete=job.status == JobStatus.COMPLETED,
    )


def _hold_by_name(run: LocalRun, held: ExitStack) -> Job | None:
    """Take the lock of a named run; return its job, unless its submission never ended."""
    if run.name is None:
        return None
    found = _find_job(run.database, run.name)
    held.enter_context(hold_run(run.database.address, found.handle if found else run.name))
    found = _find_job(run.database, run.name)  # What happened before the lock was ours counts.
    if found and found.submitted_at is None:
        delete_job(run.database, found.id)
        return None
    return found


def _carry(run: LocalRun, job: Job, weights: Weights) -> None:
    with run.database.reading() as connection:
        model = load_stored_model(connection, job.model_id)
    # The lock is ours: whoever held these leases is dead.
    ledger.free_leases(run.database, job.id)
    rules = JobRules(model, run.settings.top_k, job.retries)
    ticker = _Ticker(run, job)
    try:
        with closing(start_engine(weights.path, run.settings)) as engine:
            runner = LocalRunner(run.database, job.id, rules, engine, run.settings.lease_s)
            runner.run(run.settings.chunk_size, ticker.tick)
    except KeyboardInterrupt:
        raise Interrupted(_read_job(run.database, job.id)) from None
    ticker.tell()


class _Ticker:
    """Tells the progress, but not so often that the sums over chunks cost much time."""

    def __init__(self, run: LocalRun, job: Job) -> None:
        self._run = run
        self._job_id = job.id
        self._next = 0.0
        run.on_progress(job)

    def tick(self) -> None:
        if time.monotonic() >= self._next:
            self.tell()

    def tell(self) -> None:
        started = time.monotonic()
        self._run.on_progress(_read_job(self._run.database, self._job_id))
        now = time.monotonic()
        self._next = now + max(_PROGRESS_S, (now - started) / _PROGRESS_SHARE)


def _check_same(job: Job, spec: JobSpec) -> None:
    """Raise JobError unless ``job`` is what ``spec`` asks for."""
    made = (job.model_sha256, job.precision, job.preprocessing)
    asked = (spec.model.sha256, spec.model.precision, spec.model.preprocessing)
    if job.dispatch != Dispatch.LOCAL:
        difference = "is carried by the cluster's workers"
    elif job.sources_hash != spec.sources_hash:
        difference = "has other sources, columns or filters"
    elif made != asked or job.options.get("labels") != spec.options["labels"]:
        difference = "has another model (its weights, labels, precision or preprocessing differ)"
    elif job.options.get("top_k") != spec.options["top_k"]:
        difference = f"keeps {job.options.get('top_k')} predictions of each image (--top-k)"
    else:
        return
    raise JobError(f"job {job.handle!r} {difference}; choose another --name, or ask for the same")


def _find_job(database: Database, key: str) -> Job | None:
    with database.reading() as connection:
        return find_job(connection, key)


def _read_job(database: Database, job_id: int) -> Job:
    with database.reading() as connection:
        return get_job_by_number(connection, job_id)


def _make_spec(run: LocalRun, weights: Weights) -> JobSpec:
    settings = run.settings
    options: dict[str, object] = {
        "sources": list(run.sources),
        "weights": settings.weights if weights.name == settings.weights else str(weights.path),
        "labels": str(settings.labels.absolute()) if settings.labels else None,
        "top_k": settings.top_k,
        "chunk_size": settings.chunk_size,
        "max_pixels": settings.max_pixels,
        "max_bytes": settings.max_bytes,
    }
    return JobSpec(
        name=run.name,
        model=identify(weights, settings.precision),
        options=options,
        sources_hash=sources_hash(run.sources, run.source_options),
        chunk_size=settings.chunk_size,
        dispatch=Dispatch.LOCAL,
        retries=settings.retries,
    )
