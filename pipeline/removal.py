"""The removal of a job that nobody is running, with what was uploaded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.locks import hold_run
from pipeline.storage.deletion import delete_job
from pipeline.uploads import remove_uploads

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job


def remove_job(database: Database, job: Job, ended_for_s: float | None = None) -> bool:
    """Delete a job with all its rows; JobError while a run of it is alive.

    With ``ended_for_s`` only if it ended that long ago; False: it is kept.
    """
    with hold_run(database.address, job.handle):
        gone = delete_job(database, job.id, ended_for_s)
    if gone:
        # Only now: a job that is kept needs its pictures.
        remove_uploads(job)
    return gone
