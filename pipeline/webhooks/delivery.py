"""The delivery of webhooks: which are due, whose they are now, and how each try went."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.queries.jobs import get_job_by_number
from pipeline.records import JobStatus
from pipeline.storage.rows import lock_job
from pipeline.webhooks.standing import DELIVERED, FAILED, WAITING

if TYPE_CHECKING:
    from typing import Any

    from pipeline.database.database import Database
    from pipeline.records import Job

#: How often a webhook is tried at most.
ATTEMPTS = 12
#: The wait after the first failed try, doubled after each further one, up to the longest.
_FIRST_S, _LONGEST_S = 10.0, 3600.0
#: How long a webhook belongs to whoever sends it: longer than any try takes.
_HOLDS_S = 60.0
_ENDED = (str(JobStatus.COMPLETED), str(JobStatus.FAILED), str(JobStatus.CANCELLED))

_webhook, _job = tables.webhooks.c, tables.jobs.c


@dataclass(frozen=True, slots=True)
class Telling:
    """One try to tell ``url`` of a job's end."""

    job: Job
    url: str
    attempt: int


def list_due(database: Database, most: int) -> list[int]:
    """Return the numbers of jobs that have ended, and whose webhooks are to be sent now."""
    query = (
        sa.select(_webhook.job_id)
        .join(tables.jobs, _job.id == _webhook.job_id)
        # A job without it is being deleted.
        .where(_is_due(), _job.status.in_(_ENDED), _job.submitted_at.is_not(None))
        .order_by(_webhook.next_at)
        .limit(most)
    )
    return database.attempt(lambda c: [*c.scalars(query)], write=False)


def begin(database: Database, job_id: int) -> Telling | None:
    """Take a webhook that is due; None: another worker has it, or the job goes on.

    The try is counted before it is made, so that one that kills its process counts, too.
    """
    return database.attempt(partial(_begin, job_id))


def record(database: Database, telling: Telling, reason: str | None) -> bool:
    """Write down how a try went (None: delivered); False: it concerns the job's end no more."""
    return database.attempt(partial(_record, telling, reason))


def find_wait_s(attempt: int) -> float:
    """Return how long to wait after this failed try, from 1, in seconds."""
    wait_s: float = min(_FIRST_S * 2.0 ** (attempt - 1), _LONGEST_S)
    # Spread out: what failed together would be tried together again.
    return wait_s * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)


def _begin(job_id: int, connection: sa.Connection) -> Telling | None:
    # Under the lock nobody lets the job go on.
    if not _has_ended(lock_job(connection, job_id)):
        return None
    taken = (
        sa.update(tables.webhooks)
        .where(_webhook.job_id == job_id, _is_due())
        .values(attempts=_webhook.attempts + 1, next_at=from_now(_HOLDS_S))
        .returning(_webhook.url, _webhook.attempts)
    )
    row = connection.execute(taken).one_or_none()
    return None if row is None else Telling(get_job_by_number(connection, job_id), *row)


def _record(telling: Telling, reason: str | None, connection: sa.Connection) -> bool:
    job_id = telling.job.id
    if not _has_ended(lock_job(connection, job_id)):
        return False
    if get_job_by_number(connection, job_id).finished_at != telling.job.finished_at:
        return False
    mine = (_webhook.job_id == job_id, _webhook.state == WAITING)
    change = sa.update(tables.webhooks).where(*mine, _webhook.attempts == telling.attempt)
    return connection.execute(change.values(_result(telling, reason))).rowcount == 1


def _result(telling: Telling, reason: str | None) -> dict[str, Any]:
    if reason is None:
        return {
            "state": DELIVERED,
            "reason": None,
            "next_at": None,
            "delivered_at": from_now(),
        }
    if telling.attempt >= ATTEMPTS:
        return {"state": FAILED, "reason": reason, "next_at": None}
    return {"reason": reason, "next_at": from_now(find_wait_s(telling.attempt))}


def _has_ended(job: sa.Row[*tuple[Any, ...]] | None) -> bool:
    return job is not None and job.submitted_at is not None and job.status in _ENDED


def _is_due() -> sa.ColumnElement[bool]:
    now_due = sa.or_(_webhook.next_at.is_(None), _webhook.next_at <= from_now())
    return sa.and_(_webhook.state == WAITING, now_due)
