"""`imagemill submit`: a job for the cluster's workers."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options as take
from pipeline.cli.endings import INTERRUPTED, leave, stop
from pipeline.cli.jobs.view import outline
from pipeline.cli.output import answer, answer_json, say, show_pairs
from pipeline.cli.run.progress import show_progress
from pipeline.cli.run.report import exit_code, say_known, say_next
from pipeline.job_json import as_dict
from pipeline.records import Priority

if TYPE_CHECKING:
    from pipeline.records import Job

EPILOG = take.examples(
    "imagemill submit photos/ --name holiday",
    "imagemill submit urls.parquet --uri-column url --no-wait",
    "imagemill submit urgent.txt --priority high --max-failure-rate 0.05",
)
ChosenPriority = Annotated[
    Priority | None,
    typer.Option("--priority", help="The queue it goes through.  [default: bulk]"),
]
MaxFailureRate = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", min=0, max=1, help="Stop the job when more than this share failed."
    ),
]
WebhookUrl = Annotated[
    str | None,
    typer.Option(
        "--webhook", metavar="URL", help="Let the workers tell this address of the job's end."
    ),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Print the job's id, and leave it to the workers.")
]


def submit(
    sources: take.Sources,
    name: take.Name = None,
    skip_known: take.SkipKnown = False,
    reuse: take.Reuse = None,
    priority: ChosenPriority = None,
    max_failure_rate: MaxFailureRate = None,
    webhook: WebhookUrl = None,
    no_wait: NoWait = False,
    weights: take.WeightsName = None,
    labels: take.Labels = None,
    precision: take.ChosenPrecision = None,
    top_k: take.TopK = None,
    chunk_size: take.ChunkSize = None,
    max_pixels: take.MaxPixels = None,
    uri_column: take.UriColumn = None,
    id_column: take.IdColumn = None,
    include: take.Include = None,
    exclude: take.Exclude = None,
    database_url: take.DatabaseUrl = None,
    broker_url: take.BrokerUrl = None,
    strict: take.Strict = False,
    as_json: take.AsJson = False,
) -> None:
    """Store a job for the workers, and wait until they have done it.

    A SOURCE is a file, a folder, a glob, a URL, a manifest (.txt .csv .tsv .jsonl .parquet, also
    .gz), or - for standard input.

    The same --name again is the same job, whoever submits it. Ctrl-C ends the waiting, not the
    job.
    """
    from pipeline import api
    from pipeline.config import load_settings
    from pipeline.webhooks.asking import list_doubts

    job = None

    def take_note(stored: "Job", unsent: str | None) -> None:
        nonlocal job
        job = stored
        if unsent:
            say(f"the job {job.handle} is stored, and is sent when the broker is back: {unsent}")

    for doubt in list_doubts(webhook, load_settings()) if webhook is not None else ():
        say(doubt)
    try:
        with show_progress() as display:
            ended = api.submit(
                sources,
                name=name,
                source_options=take.source_options(uri_column, id_column, include, exclude),
                priority=priority or Priority.BULK,
                max_failure_rate=max_failure_rate,
                skip_known=skip_known,
                webhook=webhook,
                wait=not no_wait,
                on_storing=display.show_stored,
                on_stored=take_note,
                on_progress=None if no_wait else display.update,
                database_url=database_url,
                broker_url=broker_url,
                reuse=reuse,
                weights=weights,
                labels=labels,
                precision=precision,
                top_k=top_k,
                chunk_size=chunk_size,
                max_pixels=max_pixels,
            )
    except KeyboardInterrupt:
        if job is None:
            raise
        say(f"the job goes on; to watch it: imagemill jobs watch {shlex.quote(job.handle)}")
        leave(stop.code or INTERRUPTED)
    if no_wait:
        answer_json({"id": ended.job.public_id}) if as_json else answer(ended.job.public_id)
        return
    say_known(ended.job)
    if as_json:
        job = ended.job
        answer_json(as_dict(job, ended.failures, job.histogram, ended.webhook))
    else:
        show_pairs(
            [("job", ended.job.handle), *outline(ended.job, ended.failures, ended.job.histogram)]
        )
        say_next(ended.job)
    leave(exit_code(ended.job, strict))
