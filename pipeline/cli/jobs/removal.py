"""The removal of a job that nobody is running."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job


def remove_job(database: Database, job: Job, ended_for_s: float | None = None) -> bool:
    """Delete a job with all its rows; JobError while a run of it is alive.

    With ``ended_for_s`` only if it ended that long ago; False: it is kept.
    """
    from pipeline.locks import hold_run
    from pipeline.storage.deletion import delete_job

    with hold_run(database.address, job.handle):
        return delete_job(database, job.id, ended_for_s)
