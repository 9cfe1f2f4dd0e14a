"""A local job: submitted, carried and finished by this process, with no server at all."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from pipeline import ledger
from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.errors import JobError
from pipeline.fetch.limits import limits_of
from pipeline.locks import hold_run
from pipeline.pace import Pace
from pipeline.producer import submit
from pipeline.queries.jobs import count_failures, find_job, get_job_by_number
from pipeline.queries.rules import find_rules
from pipeline.records import Dispatch, Job, JobRules, JobStatus
from pipeline.reports import Interrupted, RunReport
from pipeline.sources import SourceOptions, read_sources
from pipeline.storage.deletion import delete_job
from workers.devices import check_device
from workers.processes import warm_up
from workers.specs import RUN_CHUNK, check_same, find_known, make_spec
from workers.weights import Weights, find_weights

#: Images from which on a few seconds are well spent on finding the best layout of the engine.
_LARGE = 2000


@dataclass(frozen=True, slots=True)
class LocalRun:
    """Everything that one call of ``run`` was told."""

    database: Database
    sources: tuple[str, ...]
    source_options: SourceOptions
    settings: Settings
    name: str | None
    stdin: BinaryIO | TextIO | None
    on_storing: Callable[[int], None]
    on_progress: Callable[[Job], None]
    skip_known: bool = False


def run_here(run: LocalRun) -> RunReport:
    """Submit the job, or find the one of that name, carry what is open of it, and report.

    Raises JobError when a live run holds it or it is not the job that was asked for, Interrupted,
    and whatever the weights, the sources or the database have to say.
    """
    started = time.perf_counter()
    check_device(run.settings.device)
    weights = find_weights(run.settings.weights, run.settings.labels)
    spec = make_spec(
        run.settings,
        weights,
        run.sources,
        run.source_options,
        run.name,
        Dispatch.LOCAL,
        skip_known=run.skip_known,
    )
    with ExitStack() as held:
        found = _hold_by_name(run, held)
        warm_up()
        if found is None:
            references = read_sources(
                run.sources, run.source_options, run.stdin, limits_of(run.settings)
            )
            known = find_known(run.database, run.settings, spec)
            made = submit(run.database, spec, references, run.on_storing, known)
            job = _read_job(run.database, made)
        else:
            job = found
            check_same(job, spec)
            _check_goes_on(job)
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
        was_complete=found is not None and job.status == JobStatus.COMPLETED,
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


def _check_goes_on(job: Job) -> None:
    if job.status in (JobStatus.CANCELLED, JobStatus.FAILED):
        raise JobError(
            f"job {job.handle!r} is {job.status}; let it go on with "
            f"`imagemill jobs resume {shlex.quote(job.handle)}`, then run the same command again"
        )


def _carry(run: LocalRun, job: Job, weights: Weights) -> None:
    # Here, while the fork server does the same: they import torch, which takes a second.
    from workers.engine.layout import start_engine
    from workers.runner import LocalRunner

    rules = _read_rules(run.database, job)
    # The lock is ours: whoever held these leases is dead.
    ledger.free_leases(run.database, job.id)
    ticker = _Ticker(run, job)
    is_large = job.counts.pending >= _LARGE
    try:
        with closing(start_engine(weights.path, run.settings, measure=is_large)) as engine:
            runner = LocalRunner(run.database, job.id, rules, engine, run.settings.lease_s)
            runner.run(run.settings.chunk_size or RUN_CHUNK, ticker.tick)
    except KeyboardInterrupt:
        raise Interrupted(_read_job(run.database, job.id)) from None
    ticker.tell()


class _Ticker:
    """Tells the progress, but not so often that the sums over chunks cost much time."""

    def __init__(self, run: LocalRun, job: Job) -> None:
        self._run = run
        self._job_id = job.id
        self._pace = Pace()
        run.on_progress(job)

    def tick(self) -> None:
        if not self._pace.pause_s:
            self.tell()

    def tell(self) -> None:
        with self._pace.look():
            self._run.on_progress(_read_job(self._run.database, self._job_id))


def _find_job(database: Database, key: str) -> Job | None:
    with database.reading() as connection:
        return find_job(connection, key)


def _read_rules(database: Database, job: Job) -> JobRules:
    with database.reading() as connection:
        rules = find_rules(connection, job.id)
    if rules is None:
        raise JobError(f"job {job.handle!r} was deleted meanwhile; run the same command again")
    return rules


def _read_job(database: Database, job_id: int) -> Job:
    with database.reading() as connection:
        return get_job_by_number(connection, job_id)
