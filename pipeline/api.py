"""The Python interface: the commands' own functions, for use from a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Unpack

from pipeline.broker import Broker
from pipeline.config import Options, Settings, load_settings
from pipeline.database.database import Database, open_database
from pipeline.fetch.limits import limits_of
from pipeline.handing import Handed
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.producer import check_name
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.jobs import count_failures
from pipeline.queries.results import iterate_results
from pipeline.records import ImageResult, Job, Priority
from pipeline.reports import Interrupted, RunReport, StoredReport, SubmitReport
from pipeline.sources import SourceOptions, check_sources
from pipeline.watching import watch
from pipeline.webhooks.asking import check_webhook
from pipeline.webhooks.rows import find_webhook

__all__ = [
    "Interrupted",
    "RunReport",
    "SourceOptions",
    "SubmitReport",
    "classify",
    "predictions",
    "run",
    "submit",
]


def classify(
    sources: Sequence[str],
    *,
    source_options: SourceOptions = SourceOptions(),
    **options: Unpack[Options],
) -> Iterator[ImageResult]:
    """Yield the predictions of a few images, in the order of the sources; nothing is saved.

    ``sources`` and ``options`` are those of the command line (``weights="demo"``, ``top_k=3``).
    A picture that cannot be classified has an ``error`` in place of its ``predictions``.
    Raises ImagemillError: a source, the weights or an option is wrong.
    """
    settings = load_settings(**options)
    _check_outgoing(settings)
    check_sources(sources, source_options, limits_of(settings))
    from workers.sampling import classify_sources

    return classify_sources(sources, source_options, settings, sys.stdin)


def run(
    sources: Sequence[str],
    *,
    name: str | None = None,
    source_options: SourceOptions = SourceOptions(),
    skip_known: bool = False,
    on_storing: Callable[[int], None] | None = None,
    on_progress: Callable[[Job], None] | None = None,
    **options: Unpack[Options],
) -> RunReport:
    """Classify every image of the sources here, and keep the predictions in the database.

    The same ``name`` (or a job's id) again goes on where that job stopped. ``skip_known`` leaves
    out what has an answer of the same model already (``Job.skipped`` counts it). ``on_storing``
    hears how many images of a large job are stored so far; then ``on_progress`` is called about
    twice a second, in the calling thread, with the job and its live counts.
    Raises ImagemillError in a sentence, and Interrupted after a Ctrl-C.
    """
    settings = load_settings(**options)
    _check_outgoing(settings)
    if name is not None:
        check_name(name)
    check_sources(sources, source_options, limits_of(settings))
    from workers.local import LocalRun, run_here

    with closing(open_database(settings.database_url)) as database:
        return run_here(
            LocalRun(
                database,
                tuple(sources),
                source_options,
                settings,
                name,
                sys.stdin,
                on_storing or _hear_nothing,
                on_progress or _hear_nothing,
                skip_known,
            )
        )


def submit(
    sources: Sequence[str],
    *,
    name: str | None = None,
    source_options: SourceOptions = SourceOptions(),
    priority: Priority = Priority.BULK,
    max_failure_rate: float | None = None,
    skip_known: bool = False,
    webhook: str | None = None,
    wait: bool = True,
    on_storing: Callable[[int], None] | None = None,
    on_stored: Callable[[Job, str | None], None] | None = None,
    on_progress: Callable[[Job], None] | None = None,
    **options: Unpack[Options],
) -> SubmitReport:
    """Store a job for the cluster's workers, and wait until they have ended it.

    The same ``name`` again is the same job. ``max_failure_rate`` (0 to 1) stops a job of which
    more failed. ``skip_known`` leaves out what has an answer of the same model already
    (``Job.skipped`` counts it). The workers tell the URL ``webhook`` of the job's end.
    ``on_storing`` hears how many images of a large job are stored, ``on_stored`` of the job once
    it is safe, and why it could not be sent yet (None: it was); ``on_progress`` is called now and
    then while it is waited for.
    Raises ImagemillError in a sentence.
    """
    settings = load_settings(**options)
    if name is not None:
        check_name(name)
    if webhook is not None:
        check_webhook(webhook, settings)
    check_sources(sources, source_options, limits_of(settings))
    from workers.submission import Submission, submit_job

    with (
        closing(open_database(settings.database_url)) as database,
        closing(Broker(settings.broker_url)) as broker,
    ):
        stored = submit_job(
            Submission(
                database,
                broker,
                settings,
                tuple(sources),
                source_options,
                name,
                priority,
                max_failure_rate,
                sys.stdin,
                on_storing or _hear_nothing,
                skip_known,
                webhook=webhook,
            )
        )
        if on_stored:
            on_stored(stored.job, stored.unsent)
        if not wait:
            return SubmitReport(stored.job, {})
        job = watch(database, stored.job.id, on_progress or _hear_nothing)
        with database.reading() as connection:
            told = find_webhook(connection, job.id)
            return SubmitReport(job, count_failures(connection, job.id), told)


def hand_in(
    database: Database,
    broker: Broker,
    settings: Settings,
    handed: Handed,
    *,
    name: str | None = None,
    sources: Sequence[str] = (),
    source_options: SourceOptions = SourceOptions(),
    priority: Priority = Priority.BULK,
    max_failure_rate: float | None = None,
    skip_known: bool = False,
    webhook: str | None = None,
) -> StoredReport:
    """Store a job for the cluster's workers, as ``submit`` does, with services that are open.

    Its references are those of the ``sources`` and those that were ``handed`` in. Raises
    ImagemillError, and what the screen of ``handed`` raises.
    """
    if sources:
        check_sources(sources, source_options, limits_of(settings))
    from workers.submission import Submission, submit_job

    stored = submit_job(
        Submission(
            database,
            broker,
            settings,
            tuple(sources),
            source_options,
            name,
            priority,
            max_failure_rate,
            None,
            skip_known=skip_known,
            webhook=webhook,
            handed=handed,
        )
    )
    return StoredReport(stored.job, stored.unsent, stored.is_new)


def predictions(
    job: str | None = None,
    *,
    label: str | None = None,
    min_score: float | None = None,
    uri: str | None = None,
    custom_id: str | None = None,
    code: str | None = None,
    failed: bool | None = None,
    database_url: str | None = None,
) -> Iterator[ImageResult]:
    """Yield stored results, failures included, in the order of their jobs and images.

    ``job`` is a name or an id; ``label`` and ``min_score`` (0 to 1) concern rank 1; a ``uri``
    may end in ``*``. Memory stays flat however many there are. Raises ImagemillError for an
    unknown job or label.
    """
    wanted = PredictionFilter(
        job=job,
        label=label,
        min_score=min_score,
        uri=uri,
        custom_id=custom_id,
        code=code,
        failed=failed,
    )
    database = open_database(load_settings(database_url=database_url).database_url)
    try:
        # Asked at once, so that a wrong filter is told here and not at the first result.
        results = iterate_results(database, wanted)
    except BaseException:
        database.close()
        raise
    return _closing(database, results)


def _check_outgoing(settings: Settings) -> None:
    """Raise UsageError for hosts or a proxy that are none: a download could only fail of it."""
    OutgoingPolicy.of(limits_of(settings))


def _hear_nothing(_: object) -> None:
    """Take the place of a callback that was not given."""


def _closing(database: Database, results: Iterator[ImageResult]) -> Iterator[ImageResult]:
    try:
        yield from results
    finally:
        database.close()
