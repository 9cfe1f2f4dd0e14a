"""`imagemill jobs cancel`, `resume` and `retry`: what a user decides of a job."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.jobs.sending import send_on
from pipeline.cli.options import BrokerUrl, DatabaseUrl, JobKey, examples
from pipeline.cli.output import say
from pipeline.cli.reading import existing
from pipeline.errors import UsageError
from pipeline.records import Dispatch, FailureCode, Precision

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job

CANCEL_EPILOG = examples("imagemill jobs cancel holiday")
RESUME_EPILOG = examples("imagemill jobs resume holiday")
RETRY_EPILOG = examples(
    "imagemill jobs retry holiday",
    "imagemill jobs retry holiday --code timeout,http_5xx",
)
Codes = Annotated[
    list[str] | None,
    typer.Option(
        "--code",
        metavar="CODE,...",
        help="Only the failures of these codes; may be repeated.  [default: all]",
    ),
]


def cancel(job: JobKey, database_url: DatabaseUrl = None) -> None:
    """Stop a job; what is finished stays.

    JOB is its name or its id. Workers end what they have in hand, and save nothing of it.
    """
    from pipeline import ledger

    with existing(database_url) as database:
        stopped = _find(database, job)
        images = ledger.cancel(database, stopped.id)
    say(f"cancelled {stopped.handle}: {_count(images)} of it will not be classified")
    say(f"to go on after all: imagemill jobs resume {shlex.quote(stopped.handle)}")


def resume(job: JobKey, database_url: DatabaseUrl = None, broker_url: BrokerUrl = None) -> None:
    """Let a job go on that was cancelled, or stopped by its failures.

    JOB is its name or its id. After a stop by --max-failure-rate it goes on without that limit.
    """
    from pipeline import ledger

    with existing(database_url) as database:
        resumed = _find(database, job)
        images = ledger.resume(database, resumed.id)
        if not images:
            say(f"{resumed.handle} has no image left to do, and is completed")
            return
        say(f"resumed {resumed.handle}: {_count(images)} of it will be classified")
        _go_on(database, resumed, broker_url)


def retry(
    job: JobKey,
    code: Codes = None,
    database_url: DatabaseUrl = None,
    broker_url: BrokerUrl = None,
) -> None:
    """Run the failed images of a job again.

    JOB is its name or its id. Their failures are deleted, and the job runs until they have an
    answer again.
    """
    from pipeline import ledger

    codes = list(_read_codes(code)) if code else None
    with existing(database_url) as database:
        retried = _find(database, job)
        images = ledger.retry(database, retried.id, codes)
        if not images:
            say(f"no image of {retried.handle} failed like that, so there is nothing to run again")
            return
        say(f"{_count(images)} of {retried.handle} will run again")
        _go_on(database, retried, broker_url)


def _find(database: "Database", key: str) -> "Job":
    from pipeline.queries.jobs import get_job

    with database.reading() as connection:
        return get_job(connection, key)


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images:,} images"


def _read_codes(given: list[str]) -> Iterator[FailureCode]:
    """Yield the codes; UsageError for one that no failure has."""
    for name in (part.strip() for one in given for part in one.split(",")):
        if name not in set(FailureCode):
            known = ", ".join(FailureCode)
            raise UsageError(f"no failure has the code {name!r}; one of: {known}")
        yield FailureCode(name)


def _go_on(database: "Database", job: "Job", broker_url: str | None) -> None:
    if job.dispatch is Dispatch.LOCAL:
        say(f"to go on, the command that made it: {_run_line(job)}")
    else:
        send_on(database, job, broker_url)
        say(f"to watch it: imagemill jobs watch {shlex.quote(job.handle)}")


def _run_line(job: "Job") -> str:
    """Return the command that carries a local job, as far as the job knows its options."""
    sources = job.options.get("sources")
    words = ["imagemill", "run", *(map(str, sources) if isinstance(sources, list) else ())]
    stated = {"--weights": job.options.get("weights"), "--labels": job.options.get("labels")}
    if job.precision is not Precision.AUTO:
        stated["--precision"] = job.precision
    stated |= {"--top-k": job.options.get("top_k"), "--name": job.handle}
    words += [str(word) for pair in stated.items() if pair[1] is not None for word in pair]
    return shlex.join(words)
