"""What a run came to, and how to go on: the words around a job's progress."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.cli.endings import FAILED
from pipeline.cli.jobs.view import outline
from pipeline.cli.output import say, show_pairs, shown_rate
from pipeline.cli.run.progress import count_done
from pipeline.records import JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.api import RunReport
    from pipeline.cli.run.progress import Meter
    from pipeline.records import Job


def show_report(report: RunReport, meter: Meter) -> None:
    """Write what the run came to."""
    job = report.job
    if report.was_complete:
        say(f"{job.handle} was complete already, so there was nothing to do")
    say_known(job)
    head, *rest = outline(job, report.failures, job.histogram)
    show_pairs([("job", job.handle), head, rest[0], *_pace(report, meter), *rest[1:]])


def say_known(job: Job) -> None:
    """Say that nothing was left to do, if all that a job was given is known."""
    if job.skipped and not job.counts.total:
        say(f"all {job.skipped:,} images are known already, so there was nothing to do")


def say_next(job: Job) -> None:
    """Say what one may want to type next."""
    handle = shlex.quote(job.handle)
    say("\nnext:")
    if job.counts.failed:
        say(f"  imagemill predictions list --job {handle} --failed")
    say(f"  imagemill predictions list --job {handle} --min-score 0.9")
    say(f"  imagemill predictions export --job {handle} --output {handle}.csv")


def stop_sentence(job: Job, arguments: Sequence[str]) -> str:
    """Return how far the job is, and the command line that goes on with it."""
    named = [] if job.name is not None else ["--name", job.public_id]
    command = shlex.join(["imagemill", *arguments, *named])
    done, total = count_done(job.counts), job.counts.total
    return f"stopped; {done:,} of {total:,} images are saved. To go on: {command}"


def exit_code(job: Job, strict: bool) -> int:
    """Return 0 for a completed job; under ``strict`` only if no image of it failed."""
    failed = job.status is not JobStatus.COMPLETED or (strict and job.counts.failed > 0)
    return FAILED if failed else 0


def find_pace(report: RunReport, meter: Meter) -> float | None:
    """Return the run's images a second without its start-up; with it if all came in one step."""
    if report.images == 0:
        return None
    return meter.mean_rate or report.images / report.seconds


def _pace(report: RunReport, meter: Meter) -> list[tuple[str, str]]:
    pace = find_pace(report, meter)
    return [("images/s", shown_rate(pace))] if pace else []
