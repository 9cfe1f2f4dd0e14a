"""Watching: one look at a job now and then, however many listen to it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from pipeline.errors import DatabaseError, JobError
from pipeline.job_json import as_dict
from pipeline.pace import Pace
from pipeline.queries.jobs import get_job_by_number
from pipeline.queries.tallies import count_by_code
from pipeline.web.job_pages import job_details, progress
from pipeline.webhooks.rows import find_webhook

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import sqlalchemy as sa

    from pipeline.database.database import Database
    from pipeline.records import Job
    from pipeline.webhooks.standing import Webhook

#: How far apart two looks at a job are at least, in seconds: each costs two queries.
_EVERY_S = 3.0
#: ... and two counts of its failures, each one query more.
_COUNT_EVERY_S = 12.0
#: Looks that a rate is taken over.
_LOOKS = 12


@dataclass(frozen=True, slots=True)
class Look:
    """A job as it was seen, and as it is shown: ``labels`` are null until it has ended."""

    job: Job
    shown: dict[str, object]

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return not self.job.status.is_alive


class Watches:
    """The jobs that somebody listens to; belongs to one event loop."""

    def __init__(self, database: Database, every_s: float = _EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._watches: dict[int, _Watch] = {}
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many listen, to all jobs together."""
        return sum(watch.listeners for watch in self._watches.values())

    async def subscribe(self, job_id: int) -> AsyncGenerator[Look, None]:
        """Yield the job (``Job.id``) as it is, and again with every look, until it has ended.

        A database that is away ends nothing; a job that is deleted, or ``close``, ends it.
        """
        watch = self._join(job_id)
        try:
            seen = 0
            while not self._closed and not (watch.is_over and seen == watch.version):
                await watch.wait_beyond(seen)
                if watch.version > seen and watch.look is not None:
                    seen = watch.version
                    yield watch.look
        finally:
            self._leave(watch)

    def close(self) -> None:
        """End every subscription at once; to be called in the event loop."""
        self._closed = True
        for watch in list(self._watches.values()):
            watch.end()

    def _join(self, job_id: int) -> _Watch:
        watch = self._watches.get(job_id)
        if watch is None:
            watch = self._watches[job_id] = _Watch(job_id)
            watch.task = asyncio.create_task(self._look_again_and_again(watch))
        watch.listeners += 1
        return watch

    def _leave(self, watch: _Watch) -> None:
        watch.listeners -= 1
        if not watch.listeners:
            watch.end()
            if self._watches.get(watch.job_id) is watch:
                del self._watches[watch.job_id]

    async def _look_again_and_again(self, watch: _Watch) -> None:
        pace = Pace(self._every_s)
        while not watch.is_over:
            try:
                with pace.look():
                    look = await run_in_threadpool(self._look, watch)
            except DatabaseError:
                pass  # It comes back, or whoever listens goes.
            except JobError:
                watch.finish()
            else:
                watch.publish(look)
            await asyncio.sleep(pace.pause_s)

    def _look(self, watch: _Watch) -> Look:
        with self._database.reading() as connection:
            job = get_job_by_number(connection, watch.job_id)
            if not job.status.is_alive:
                return Look(job, job_details(connection, job))
            watch.count(connection, job)
        shown = as_dict(job, watch.failures, None, watch.webhook)
        return Look(job, shown | progress(job, watch.rate_with(job)))


class _Watch:
    """One job that is looked at, and whoever waits for the next look."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        self.look: Look | None = None
        self.failures: dict[str, int] | None = {}
        self.webhook: Webhook | None = None
        self.version = 0
        self.listeners = 0
        self.is_over = False
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._seen: deque[tuple[float, int]] = deque(maxlen=_LOOKS)
        self._counted: tuple[int, float] | None = None

    def count(self, connection: sa.Connection, job: Job) -> None:
        """Count the failures anew, if there are more or fewer, and that was not done lately."""
        if self._counted is None:
            self.webhook = find_webhook(connection, job.id)
        failed, at = self._counted or (0, 0.0)
        if job.counts.failed != failed and time.monotonic() - at > _COUNT_EVERY_S:
            self.failures = count_by_code(connection, job)
            failed, at = job.counts.failed, time.monotonic()
        self._counted = failed, at

    def rate_with(self, job: Job) -> float | None:
        """Return the images a second over the last looks and this one; None: too soon to say."""
        self._seen.append((time.monotonic(), job.counts.succeeded + job.counts.failed))
        (before, had), (now, has) = self._seen[0], self._seen[-1]
        return round(max(0, has - had) / (now - before), 1) if now - before > 1 else None

    def publish(self, look: Look) -> None:
        """Hand a look to everybody who waits."""
        self.look, self.version = look, self.version + 1
        self.is_over = look.is_over
        self._wake()

    def finish(self) -> None:
        """Note that there will be no other look."""
        self.is_over = True
        self._wake()

    def end(self) -> None:
        """Look no more."""
        self.finish()
        if self.task:
            self.task.cancel()

    async def wait_beyond(self, version: int) -> None:
        while self.version == version and not self.is_over:
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
