"""The standing of a webhook: how far it got, for people and programs; no secret of it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

#: The states of a webhook: it is to be sent (again), it arrived, it was given up.
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"


@dataclass(frozen=True, slots=True)
class Webhook:
    """How the webhook of a job stands; ``reason`` is why the last try failed."""

    url: str
    state: str
    attempts: int
    next_at: datetime | None
    reason: str | None
    delivered_at: datetime | None


def shown_url(url: str) -> str:
    """Return the URL of a webhook for people: without its query, which may hold a secret."""
    return url.partition("?")[0] + ("?***" if "?" in url else "")


def webhook_dict(webhook: Webhook | None) -> dict[str, object] | None:
    """Return a webhook as ``jobs show --json`` prints it."""
    if webhook is None:
        return None
    return {
        "url": shown_url(webhook.url),
        "state": webhook.state,
        "attempts": webhook.attempts,
        "reason": webhook.reason,
        "next_at": webhook.next_at and webhook.next_at.isoformat(),
        "delivered_at": webhook.delivered_at and webhook.delivered_at.isoformat(),
    }


def webhook_sentence(webhook: Webhook) -> str:
    """Return how a webhook stands, for a person."""
    where = shown_url(webhook.url)
    tries = f"{webhook.attempts} {'try' if webhook.attempts == 1 else 'tries'}"
    if webhook.state == DELIVERED:
        return f"delivered to {where} ({tries})"
    if not webhook.attempts:
        return f"waits for the job's end: {where}"
    why = webhook.reason or "no answer yet"
    given_up = "given up" if webhook.state == FAILED else "to be tried again"
    return f"{given_up} after {tries}: {where} ({why})"
