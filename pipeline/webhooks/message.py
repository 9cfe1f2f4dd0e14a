"""The message of a webhook: its body, and the headers that it is known and trusted by."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.webhooks.delivery import Telling

#: The header of the signature: ``t=<unix seconds>,v1=<hex HMAC-SHA256 of "{t}.{body}">``.
SIGNATURE = "Imagemill-Signature"


def make_event(telling: Telling) -> str:
    """Return what happened: ``job.completed``, ``job.failed`` or ``job.cancelled``."""
    return f"job.{telling.job.status}"


def make_body(telling: Telling) -> bytes:
    """Return the body: JSON in UTF-8; a try that is made again differs in ``attempt`` alone."""
    job = telling.job
    said = {
        "event": make_event(telling),
        "job": job.public_id,
        "name": job.name,
        "status": str(job.status),
        "reason": job.reason,
        "counts": {**asdict(job.counts), "pending": job.counts.pending},
        "finished_at": job.finished_at and job.finished_at.isoformat(),
        "attempt": telling.attempt,
    }
    return json.dumps(said).encode()


def make_headers(telling: Telling, body: bytes, secret: str | None) -> dict[str, str]:
    """Return the headers of a body; without a secret there is no signature."""
    headers = {
        "Content-Type": "application/json",
        "Imagemill-Event": make_event(telling),
        "User-Agent": f"imagemill/{version('imagemill')}",
    }
    if secret:
        headers[SIGNATURE] = sign(body, secret, int(time.time()))
    return headers


def sign(body: bytes, secret: str, unix_s: int) -> str:
    """Return the signature of a body at a moment."""
    signed = hmac.new(secret.encode(), b"%d.%s" % (unix_s, body), hashlib.sha256)
    return f"t={unix_s},v1={signed.hexdigest()}"
