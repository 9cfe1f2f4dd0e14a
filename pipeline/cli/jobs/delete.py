"""`imagemill jobs delete`: one job, or all that ended long ago."""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.endings import FAILED, leave
from pipeline.cli.jobs.removal import remove_job
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
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", hidden=True)] = None,
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
            _ask(doomed, " ".join(sys.argv[3:]) if job is None else doomed[0].handle)
        kept = [one for one in doomed if not _remove(database, one, age_s)]
    if kept:
        leave(FAILED)
