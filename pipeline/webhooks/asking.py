"""Asking: a webhook is checked before there is a job, and stored with the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline import tables
from pipeline.errors import JobError, UsageError
from pipeline.failures import PictureError
from pipeline.fetch.limits import limits_of
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.outgoing.urls import read_url
from pipeline.records import FailureCode
from pipeline.webhooks.standing import WAITING

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.database.database import Database

_webhook = tables.webhooks.c


def check_webhook(url: str, settings: Settings) -> str | None:
    """Return why the workers may not send to ``url``, as far as these settings can tell.

    Raises UsageError when it is no http or https URL at all. An address that is blocked here is
    no error: the settings of the workers decide, and what they say is recorded on the job.
    """
    try:
        read_url(url, OutgoingPolicy.of(limits_of(settings)))
    except PictureError as error:
        if error.failure.code is FailureCode.BLOCKED_ADDRESS:
            return error.failure.message
        raise UsageError(
            f"--webhook takes an address such as https://example.com/done: {error}"
        ) from None
    return None


def list_doubts(url: str, settings: Settings) -> list[str]:
    """Return in sentences what a user may not have meant about a webhook that can be stored."""
    blocked = check_webhook(url, settings)
    doubts = [] if blocked is None else [f"the workers may refuse to send the webhook: {blocked}"]
    if settings.webhook_secret is None:
        doubts.append(
            "the webhook is not signed unless the workers have IMAGEMILL_WEBHOOK_SECRET, which "
            "is not set here"
        )
    return doubts


def ask(database: Database, job_id: int, url: str) -> None:
    """Store that ``url`` is told of the job's end; again with the same URL changes nothing.

    Raises JobError when another URL is told of it.
    """
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    stored = insert(tables.webhooks).values(job_id=job_id, url=url, state=WAITING)

    def work(connection: sa.Connection) -> str | None:
        connection.execute(stored.on_conflict_do_nothing())
        return connection.scalar(sa.select(_webhook.url).where(_webhook.job_id == job_id))

    if database.attempt(work) != url:
        raise JobError(
            "another --webhook is told of this job's end already; leave it out, or submit under "
            "another --name"
        )
