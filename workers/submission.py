"""A submission: the job is stored whole, then its first messages are sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, TextIO

from pipeline.broker import Broker
from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.dispatcher import Dispatcher
from pipeline.errors import BrokerError
from pipeline.fetch.limits import limits_of
from pipeline.handing import NOTHING, Handed
from pipeline.locks import hold_name
from pipeline.producer import submit
from pipeline.queries.jobs import find_job, get_job_by_number
from pipeline.records import Dispatch, Job, JobSpec, Priority
from pipeline.sources import SourceOptions, read_sources
from pipeline.webhooks.asking import ask
from workers.specs import check_same, find_known, make_spec
from workers.weights import find_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that one call of ``submit`` was told."""

    database: Database
    broker: Broker
    settings: Settings
    sources: tuple[str, ...]
    source_options: SourceOptions
    name: str | None
    priority: Priority
    max_failure_rate: float | None
    stdin: BinaryIO | TextIO | None
    on_storing: Callable[[int], None] = lambda _: None
    skip_known: bool = False
    webhook: str | None = None
    handed: Handed = NOTHING


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that is stored; ``unsent`` says why nothing of it could be sent yet.

    ``is_new``: it was not there before.
    """

    job: Job
    unsent: str | None
    is_new: bool


def submit_job(wanted: Submission) -> Submitted:
    """Store a job, or find the one of that name, and send its first chunks.

    Of several producers with one name, at once or one after another, the first makes the job.
    Raises JobError when the name is another job's, and what the weights, the sources or the
    database have to say. A broker that is away is no error: the workers' sweeper sends it later.
    """
    weights = find_weights(wanted.settings.weights, wanted.settings.labels)
    spec = make_spec(
        wanted.settings,
        weights,
        wanted.sources,
        wanted.source_options,
        wanted.name,
        Dispatch.BROKER,
        wanted.priority,
        wanted.max_failure_rate,
        wanted.skip_known,
        wanted.handed,
    )
    with _holding(wanted):
        found = _find(wanted, spec)
        job_id = found or _store(wanted, spec)
        if wanted.webhook is not None:
            ask(wanted.database, job_id, wanted.webhook)
    unsent = _send(wanted, job_id)
    with wanted.database.reading() as connection:
        return Submitted(get_job_by_number(connection, job_id), unsent, is_new=not found)


@contextmanager
def _holding(wanted: Submission) -> Iterator[None]:
    if wanted.name is None:
        yield
        return
    with hold_name(wanted.database, wanted.name, _tell_of_wait):
        yield


def _tell_of_wait() -> None:
    log.warning("another producer is submitting a job of that name; waiting for it")


def _find(wanted: Submission, spec: JobSpec) -> int | None:
    """Return the number of the job of that name; one whose submission never ended is none."""
    if wanted.name is None:
        return None
    with wanted.database.reading() as connection:
        found = find_job(connection, wanted.name)
    if found is None or found.submitted_at is None:
        return None
    check_same(found, spec)
    return found.id


def _store(wanted: Submission, spec: JobSpec) -> int:
    listed = read_sources(
        wanted.sources, wanted.source_options, wanted.stdin, limits_of(wanted.settings)
    )
    references = wanted.handed.screen(chain(listed, wanted.handed.references()))
    known = find_known(wanted.database, wanted.settings, spec)
    return submit(wanted.database, spec, references, wanted.on_storing, known)


def _send(wanted: Submission, job_id: int) -> str | None:
    dispatcher = Dispatcher(wanted.database, wanted.broker, wanted.settings.send_ahead)
    try:
        dispatcher.top_up(job_id)
    except BrokerError as error:
        return str(error)
    return None
