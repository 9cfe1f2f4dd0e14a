"""`imagemill jobs`: what was submitted, how it stands, and its removal."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.endings import FAILED, leave
from pipeline.cli.jobs import chunks as chunk_view
from pipeline.cli.jobs import view as job_view
from pipeline.cli.jobs.removal import remove_job
from pipeline.cli.options import AsJson, DatabaseUrl, JobKey, examples
from pipeline.cli.output import answer, answer_json, say, show_pairs, show_table
from pipeline.cli.reading import opened, reading
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.records import Job

app = typer.Typer(
    help="List, show and delete jobs.",
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
        answer_json([job_view.summary_dict(job) for job in found])
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
    from pipeline.queries.jobs import count_failures, get_job
    from pipeline.queries.labels import list_labels

    with reading(database_url) as connection:
        shown = get_job(connection, job)
        failures = count_failures(connection, shown.id)
        found = list_labels(connection, shown.id)
        made = list(chunk_view.iterate_chunks(connection, shown.id)) if chunks else []
    by_label = {one.label: one.images for one in found}
    if as_json:
        parts = {"chunks": [chunk_view.chunk_dict(chunk) for chunk in made]} if chunks else {}
        answer_json(job_view.as_dict(shown, failures, by_label) | parts)
        return
    show_pairs(job_view.page(shown, failures, by_label))
    if chunks:
        answer("")
        rows = map(chunk_view.chunk_row, made)
        show_table(chunk_view.HEADINGS, rows, right=chunk_view.NUMBERS)


@app.command(
    "delete",
    epilog=examples("imagemill jobs delete holiday", "imagemill jobs delete jx3k7q2m5ab --yes"),
)
def delete_job(
    job: JobKey,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete a job with all its predictions.

    JOB is its name or its id. The pictures stay where they are.
    """
    from pipeline.queries.jobs import get_job

    with opened(database_url) as database:
        with database.reading() as connection:
            doomed = get_job(connection, job)
        if not yes:
            _ask(doomed)
        remove_job(database, doomed)
    say(f"deleted {doomed.handle} ({doomed.counts.total:,} images)")


def _ask(job: "Job") -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is here to confirm; `imagemill jobs delete {job.handle} --yes`")
    question = f"Delete {job.handle} with the answers for {job.counts.total:,} images?"
    if not typer.confirm(question, err=True):
        say(f"{job.handle} was kept")
        leave(FAILED)
