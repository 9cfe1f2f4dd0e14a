"""The row of a webhook: its reads, and what becomes of it when its job goes on."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.webhooks.standing import WAITING, Webhook

_webhook = tables.webhooks.c


def find_webhook(connection: sa.Connection, job_id: int) -> Webhook | None:
    """Return a job's webhook; None: nobody is told of its end."""
    columns = [_webhook[field.name] for field in fields(Webhook)]
    row = connection.execute(sa.select(*columns).where(_webhook.job_id == job_id)).one_or_none()
    return None if row is None else Webhook(*row)


def wait_again(connection: sa.Connection, job_id: int) -> None:
    """Let a webhook wait for the next end of a job that goes on; only under the job's lock."""
    anew: dict[str, Any] = {
        "state": WAITING,
        "attempts": 0,
        **dict.fromkeys(("next_at", "reason", "delivered_at")),
    }
    change = sa.update(tables.webhooks).where(_webhook.job_id == job_id)
    connection.execute(change.values(anew))
