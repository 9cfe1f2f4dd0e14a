"""Watching a job that others carry, until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.errors import DatabaseError
from pipeline.pace import Pace
from pipeline.queries.jobs import get_job_by_number

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job

#: How long the database may be away before the watch is given up, in seconds.
_PATIENCE_S = 600.0


def watch(database: Database, job_id: int, on_progress: Callable[[Job], None]) -> Job:
    """Return a job once it has ended; ``on_progress`` gets it now and then, and at its end.

    The larger the job, the longer the pauses: the sums over its chunks cost little. Raises
    JobError when the job is gone, DatabaseError when the database was away for ten minutes.
    """
    pace, heard = Pace(), time.monotonic()
    while True:
        try:
            with pace.look():
                job = _read_job(database, job_id)
        except DatabaseError:
            if time.monotonic() - heard > _PATIENCE_S:
                raise
        else:
            heard = time.monotonic()
            on_progress(job)
            if not job.status.is_alive:
                return job
        time.sleep(pace.pause_s)


def _read_job(database: Database, job_id: int) -> Job:
    with database.reading() as connection:
        return get_job_by_number(connection, job_id)
