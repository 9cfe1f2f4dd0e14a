"""`imagemill jobs watch`: a job live, until it ends."""

import shlex
from typing import TYPE_CHECKING

from pipeline.cli.endings import leave, stop
from pipeline.cli.jobs.view import outline
from pipeline.cli.options import AsJson, DatabaseUrl, JobKey, examples
from pipeline.cli.output import answer_json, say, show_pairs, shown_rate
from pipeline.cli.reading import existing
from pipeline.cli.run.progress import show_progress
from pipeline.cli.run.report import exit_code, say_next
from pipeline.job_json import as_dict, find_rate

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job

WATCH_EPILOG = examples("imagemill jobs watch holiday", "imagemill jobs watch holiday --json")


def watch(job: JobKey, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Show how a job goes on until it ends, then what it came to.

    JOB is its name or its id. Ctrl-C ends the watching, not the job. Exits with 1 when the job
    failed or was cancelled.
    """
    from pipeline.queries.jobs import count_failures, get_job
    from pipeline.webhooks.rows import find_webhook

    with existing(database_url) as database:
        with database.reading() as connection:
            watched = get_job(connection, job)
        ended = _follow(database, watched)
        with database.reading() as connection:
            failures = count_failures(connection, ended.id)
            webhook = find_webhook(connection, ended.id)
    if as_json:
        answer_json(as_dict(ended, failures, ended.histogram, webhook))
    else:
        head, *rest = outline(ended, failures, ended.histogram)
        rate = [("images/s", shown_rate(rate)) for rate in [find_rate(ended)] if rate]
        show_pairs([("job", ended.handle), head, rest[0], *rate, *rest[1:]])
        say_next(ended)
    leave(exit_code(ended, strict=False))


def _follow(database: "Database", job: "Job") -> "Job":
    """Show the job until it ends, and return it then; one that has ended is shown no progress."""
    from pipeline.watching import watch

    if not job.status.is_alive:
        return job
    notice = None
    try:
        with show_progress() as display:

            def tell(now: "Job") -> None:
                nonlocal notice
                display.update(now)
                if now.notice and now.notice != notice:
                    say(now.notice)
                notice = now.notice

            return watch(database, job.id, tell)
    except BaseException:
        if not stop.code:
            raise
        handle = shlex.quote(job.handle)
        say(f"the job goes on; to watch it again: imagemill jobs watch {handle}")
        leave(stop.code)
