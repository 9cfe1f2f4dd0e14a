"""`imagemill jobs delete`: one job, or all that ended long ago."""

import re
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.endings import FAILED, leave
from pipeline.cli.options import DatabaseUrl, examples
from pipeline.cli.output import say
from pipeline.cli.reading import existing
from pipeline.errors import JobError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.database.database import Database
    from pipeline.records import Job

DELETE_EPILOG = examples(
    "imagemill jobs delete holiday",
    "imagemill jobs delete jx3k7q2m5ab --yes",
    "imagemill jobs delete --older-than 30d",
)
_UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def delete(
    job: Annotated[str | None, typer.Argument(metavar="JOB", hidden=True)] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Every job that ended so long ago: 12h, 30d or 2w."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete a job with all its predictions, or every job that ended long ago.

    JOB is its name or its id. The pictures stay where they are.
    """
    if (job is None) == (older_than is None):
        raise UsageError("name one JOB to delete, or give --older-than AGE (12h, 30d, 2w)")
    age_s = None if older_than is None else _read_age(older_than)
    with existing(database_url) as database:
        doomed = _find(database, job, age_s)
        if not doomed:
            say(f"no job ended more than {older_than} ago")
            return
        if not yes:
            meant = f"--older-than {older_than}" if job is None else shlex.quote(doomed[0].handle)
            _ask(doomed, meant)
        kept = [one for one in doomed if not _remove(database, one, age_s)]
    if kept:
        leave(FAILED)


def _read_age(text: str) -> float:
    """Return an age in seconds; UsageError for what is none."""
    found = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if found is None:
        raise UsageError(f"--older-than takes hours, days or weeks (12h, 30d, 2w), not {text!r}")
    return int(found[1]) * _UNITS_S[found[2]]


def _find(database: "Database", key: str | None, age_s: float | None) -> "list[Job]":
    from pipeline.queries.jobs import get_job, iterate_ended_jobs

    with database.reading() as connection:
        if age_s is not None:
            return list(iterate_ended_jobs(connection, age_s))
        return [get_job(connection, str(key))]


def _ask(doomed: "Sequence[Job]", meant: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is here to confirm; `imagemill jobs delete {meant} --yes`")
    images = sum(job.counts.total for job in doomed)
    what = doomed[0].handle if len(doomed) == 1 else f"{len(doomed):,} jobs"
    if not typer.confirm(f"Delete {what} with the answers for {images:,} images?", err=True):
        say(f"{what} {'was' if len(doomed) == 1 else 'were'} kept")
        leave(FAILED)


def _remove(database: "Database", job: "Job", age_s: float | None) -> bool:
    """Delete the job; False: one of several is in use again, and is kept."""
    from pipeline.removal import remove_job

    try:
        if not remove_job(database, job, age_s):
            say(f"{job.handle} was kept: it was resumed or deleted meanwhile")
            return False
    except JobError as error:
        if age_s is None:
            raise
        say(f"{job.handle} was kept: {error}")
        return False
    say(f"deleted {job.handle} ({job.counts.total:,} images)")
    return True
