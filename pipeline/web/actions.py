"""Actions: what a user does to jobs over HTTP, for the API and the page alike.

Each takes its time with the database: call it outside of the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline import ledger
from pipeline.dispatcher import Dispatcher
from pipeline.errors import BrokerError
from pipeline.handing import Handed, no_references
from pipeline.queries.jobs import get_job, get_job_by_number
from pipeline.records import Dispatch, Priority
from pipeline.removal import remove_job
from pipeline.sources import SourceOptions
from pipeline.uploads import OPTION
from pipeline.web.problems import Problem
from pipeline.web.roots import allowed_roots, check_references, check_sources
from pipeline.webhooks.asking import check_webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from pipeline.config import Settings
    from pipeline.records import FailureCode, Job, Precision, Reference
    from pipeline.reports import StoredReport
    from pipeline.web.context import Context

#: The weights that everybody may name; beside them only those that the server itself was given.
PUBLIC_WEIGHTS = ("demo", "IMAGENET1K_V1", "IMAGENET1K_V2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A submission: ``sources`` as of the command line, and ``references`` that came with it.

    ``digest`` tells those references from others. ``uploads`` is the folder of pictures that
    came with it; ``name`` makes a job of the same name and content the same job. What is None is
    as the server is set.
    """

    name: str | None = None
    sources: tuple[str, ...] = ()
    source_options: SourceOptions = SourceOptions()
    references: Callable[[], Iterator[Reference]] = no_references
    digest: str = ""
    uploads: Path | None = None
    weights: str | None = None
    precision: Precision | None = None
    top_k: int | None = None
    priority: Priority = Priority.BULK
    max_failure_rate: float | None = None
    skip_known: bool = False
    reuse: bool | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A job after an action: how many images it moved, and why nothing could be sent yet."""

    job: Job
    images: int
    unsent: str | None = None


def submit(context: Context, wanted: Wanted) -> StoredReport:
    """Store a job and send its first chunks, or find the one of that name.

    A broker that is away is no error: the report says so. Raises Problem for paths outside of the
    roots (422, blocked_path) and for too many references (413), JobError when the name is another
    job's, and ImagemillError for the rest.
    """
    settings = _settle(context.settings, wanted)
    check_sources(wanted.sources, context.settings.roots)
    if wanted.webhook is not None:
        check_webhook(wanted.webhook, settings)
    from pipeline import api

    return api.hand_in(
        context.database,
        context.broker(),
        settings,
        _bind(context.settings, wanted),
        name=wanted.name,
        sources=wanted.sources,
        source_options=wanted.source_options,
        priority=wanted.priority,
        max_failure_rate=wanted.max_failure_rate,
        skip_known=wanted.skip_known,
        webhook=wanted.webhook,
    )


def cancel(context: Context, key: str) -> Changed:
    """Stop a job; JobError when it is not alive."""
    job = _find(context, key)
    return Changed(job, ledger.cancel(context.database, job.id))


def resume(context: Context, key: str) -> Changed:
    """Let a job go on that was cancelled or stopped; JobError for any other."""
    job = _find(context, key)
    images = ledger.resume(context.database, job.id)
    return Changed(job, images, _send(context, job) if images else None)


def retry(context: Context, key: str, codes: Collection[FailureCode] | None = None) -> Changed:
    """Run the images again that failed with these codes (None: all); JobError if it is stopped."""
    job = _find(context, key)
    images = ledger.retry(context.database, job.id, codes)
    return Changed(job, images, _send(context, job) if images else None)


def delete(context: Context, key: str) -> Job:
    """Delete a job with all its rows and uploads, and return what it was; JobError if it runs."""
    job = _find(context, key)
    remove_job(context.database, job)
    return job


def _settle(settings: Settings, wanted: Wanted) -> Settings:
    """Return the server's settings with what the submission says."""
    said: dict[str, Any] = {
        "roots": allowed_roots(settings),
        "precision": wanted.precision,
        "top_k": wanted.top_k,
        "reuse": wanted.reuse,
    }
    if wanted.weights not in (None, settings.weights):
        if wanted.weights not in PUBLIC_WEIGHTS:
            names = ", ".join(dict.fromkeys((*PUBLIC_WEIGHTS, settings.weights)))
            raise Problem(422, "wrong_use", f"weights: over HTTP it takes one of {names}")
        # The labels that the server was given are those of its own weights.
        settings = settings.model_copy(update={"weights": wanted.weights, "labels": None})
    return settings.model_copy(update={k: v for k, v in said.items() if v is not None})


def _bind(settings: Settings, wanted: Wanted) -> Handed:
    """Return the references with what they may be, for the submission and for the workers."""
    options: dict[str, object] = {"roots": [str(root) for root in allowed_roots(settings)]}
    roots = settings.roots
    if wanted.uploads is not None:
        roots = (*roots, wanted.uploads)
        # A worker that lacks the folder gives the chunk back, as of any folder.
        options |= {OPTION: str(wanted.uploads), "folders": [str(wanted.uploads)]}
    screen = partial(check_references, roots=roots, most=settings.upload_references)
    return Handed(wanted.digest, wanted.references, screen, options)


def _find(context: Context, key: str) -> Job:
    with context.database.reading() as connection:
        return get_job(connection, key)


def _send(context: Context, job: Job) -> str | None:
    """Send the next chunks of a job; return why that cannot be."""
    if job.dispatch is Dispatch.LOCAL:
        return "the job was made by `imagemill run`: the same command again goes on with it"
    try:
        dispatcher = Dispatcher(context.database, context.broker(), context.settings.send_ahead)
        dispatcher.top_up(job.id)
    except BrokerError as error:
        return str(error)
    return None


def read_again(context: Context, job: Job) -> Job:
    """Return a job as it is now."""
    with context.database.reading() as connection:
        return get_job_by_number(connection, job.id)
