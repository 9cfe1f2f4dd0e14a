"""The webhooks' thread of a worker: it tells whoever asked that a job has ended."""

from __future__ import annotations

import asyncio
import logging
import random
import threading

import aiohttp

from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.errors import DatabaseError
from pipeline.failures import PictureError
from pipeline.fetch.limits import limits_of
from pipeline.outgoing.connector import explain, make_session
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.outgoing.urls import read_url
from pipeline.webhooks import delivery
from pipeline.webhooks.delivery import Telling
from pipeline.webhooks.message import make_body, make_headers
from workers.watch.vitals import Vitals

log = logging.getLogger(__name__)

#: How long one try may take, in seconds.
_TRY_S = 10.0
#: Webhooks that are sent at the same time.
_AT_ONCE = 16
#: A worker looks for webhooks that are due at least this often, in seconds.
_LOOKS_S = 5.0


class Webhooks:
    """One thread of a worker; a webhook belongs to the worker that took it first.

    Raises UsageError when the settings of outgoing addresses are wrong.
    """

    def __init__(self, database: Database, settings: Settings, vitals: Vitals) -> None:
        self._database = database
        self._policy = OutgoingPolicy.of(limits_of(settings))
        secret = settings.webhook_secret
        self._secret = None if secret is None else secret.get_secret_value()
        self._looks_s = min(settings.sweep_s, _LOOKS_S)
        self._vitals = vitals
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._stop.set()

    def send(self) -> int:
        """Send what is due, and return how many; all of it takes less than half a minute.

        Raises DatabaseError; what was sent and not written down is sent again.
        """
        due = delivery.list_due(self._database, _AT_ONCE)
        begun = [delivery.begin(self._database, job_id) for job_id in due]
        tellings = [telling for telling in begun if telling]
        reasons = asyncio.run(self._tell_all(tellings)) if tellings else []
        for telling, reason in zip(tellings, reasons, strict=True):
            delivery.record(self._database, telling, reason)
            about = {"job": telling.job.id, "attempt": telling.attempt}
            if reason:
                log.warning("a webhook failed: %s", reason, extra=about)
            else:
                log.info("a webhook was delivered", extra=about)
        return len(tellings)

    async def _tell_all(self, tellings: list[Telling]) -> list[str | None]:
        timeout = aiohttp.ClientTimeout(total=_TRY_S)
        async with make_session(self._policy, timeout, limit=_AT_ONCE) as session:
            return await asyncio.gather(*(self._tell(session, one) for one in tellings))

    async def _tell(self, session: aiohttp.ClientSession, telling: Telling) -> str | None:
        """Return why the try failed; None: it did not."""
        body = make_body(telling)
        try:
            url = read_url(telling.url, self._policy)
            async with session.post(
                url,
                data=body,
                headers=make_headers(telling, body, self._secret),
                allow_redirects=False,
                proxy=self._policy.proxy,
            ) as answer:
                return _judge(answer.status)
        except PictureError as error:
            return str(error)
        except Exception as error:
            return str(explain(error))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._vitals.beat("webhooks", 300)
            sent = 0
            try:
                sent = self.send()
            except DatabaseError as error:
                log.warning("webhooks wait: %s", error)
            except Exception:
                # A bug here must not end the thread: nobody would be told of anything any more.
                log.exception("the webhooks failed")
            # More may be due when as many as possible were sent.
            pause_s = 0.0 if sent == _AT_ONCE else self._looks_s
            # Spread out: workers that were started together would all ask at once.
            self._stop.wait(pause_s * random.uniform(0.8, 1.0))  # noqa: S311 (no secret)


def _judge(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    redirects = ", and redirects are not followed" if 300 <= status < 400 else ""
    return f"the host answered with status {status}{redirects}"
