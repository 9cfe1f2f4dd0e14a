"""`imagemill jobs`: what was submitted, and how it stands; wires what can be done with it."""

from typing import Annotated

import typer

from pipeline.cli.jobs import chunks as chunk_view
from pipeline.cli.jobs import view as job_view
from pipeline.cli.jobs.control import (
    CANCEL_EPILOG,
    RESUME_EPILOG,
    RETRY_EPILOG,
    cancel,
    resume,
    retry,
)
from pipeline.cli.jobs.delete import DELETE_EPILOG, delete
from pipeline.cli.jobs.watch import WATCH_EPILOG, watch
from pipeline.cli.options import AsJson, DatabaseUrl, JobKey, examples
from pipeline.cli.output import answer, answer_json, say, show_pairs, show_table
from pipeline.cli.reading import reading
from pipeline.job_json import as_dict, summary_dict
from pipeline.queries.tallies import count_by_code, count_by_label

app = typer.Typer(
    help="List, show, watch, cancel, resume, retry and delete jobs.",
    epilog=examples("imagemill jobs list", "imagemill jobs show holiday"),
)


@app.command("list", epilog=examples("imagemill jobs list", "imagemill jobs list --json"))
def list_jobs(
    limit: Annotated[int, typer.Option(metavar="N", help="Show this many at most.")] = 50,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs, newest first."""
    from pipeline.queries.jobs import count_jobs, list_jobs

    with reading(database_url) as connection:
        found = list_jobs(connection, limit=limit)
        total = count_jobs(connection)
    if as_json:
        answer_json([summary_dict(job) for job in found])
        return
    if not found:
        say("no jobs yet; `imagemill run FOLDER` makes one")
        return
    show_table(job_view.HEADINGS, map(job_view.row, found), right=job_view.NUMBERS)
    if total > len(found):
        say(f"{total - len(found):,} older jobs; --limit shows more")


@app.command(
    "show",
    epilog=examples(
        "imagemill jobs show holiday",
        "imagemill jobs show holiday --json | jq .counts",
        "imagemill jobs show holiday --chunks",
    ),
)
def show_job(
    job: JobKey,
    chunks: Annotated[
        bool,
        typer.Option("--chunks", help="Show how each chunk was made: batches, times, versions."),
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a job: counts, failures, labels and options.

    JOB is its name or its id.
    """
    from pipeline.queries.jobs import get_job
    from pipeline.webhooks.rows import find_webhook

    with reading(database_url) as connection:
        shown = get_job(connection, job)
        failures = count_by_code(connection, shown)
        by_label = count_by_label(connection, shown)
        webhook = find_webhook(connection, shown.id)
        made = list(chunk_view.iterate_chunks(connection, shown.id)) if chunks else []
    if as_json:
        told = as_dict(shown, failures, by_label, webhook)
        if chunks:
            told["chunks"] = [chunk_view.chunk_dict(chunk) for chunk in made]
        answer_json(told)
        return
    show_pairs(job_view.page(shown, failures, by_label, webhook))
    if chunks:
        answer("")
        rows = map(chunk_view.chunk_row, made)
        show_table(chunk_view.HEADINGS, rows, right=chunk_view.NUMBERS)


app.command("watch", epilog=WATCH_EPILOG)(watch)
app.command("cancel", epilog=CANCEL_EPILOG)(cancel)
app.command("resume", epilog=RESUME_EPILOG)(resume)
app.command("retry", epilog=RETRY_EPILOG)(retry)
app.command("delete", epilog=DELETE_EPILOG)(delete)
