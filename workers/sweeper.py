"""The sweeper: finds what the broker forgot and what died, and sends it again."""

from __future__ import annotations

import logging
import random
import threading

from pipeline import ledger
from pipeline.broker import Broker
from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.dispatcher import Dispatcher
from pipeline.errors import BrokerError, DatabaseError
from pipeline.records import Priority
from workers.watch.metrics import Metrics
from workers.watch.vitals import Problem, Vitals

log = logging.getLogger(__name__)

#: The name of the turn that one worker at a time takes.
_TURN = "sweep"
#: A worker asks for the turn this often, and has it for so long, in parts of ``sweep_s``: so
#: somebody sweeps every ``sweep_s``, whoever dies in between.
_ASKS, _HOLDS = 0.6, 0.4


class Sweeper:
    """One thread of a worker; of all workers' sweepers one at a time does the work."""

    def __init__(
        self,
        worker: str,
        database: Database,
        broker: Broker,
        settings: Settings,
        metrics: Metrics,
        vitals: Vitals,
    ) -> None:
        self._worker = worker
        self._database = database
        self._broker = broker
        self._dispatcher = Dispatcher(database, broker, settings.send_ahead)
        self._settings = settings
        self._metrics = metrics
        self._vitals = vitals
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep, now and then at every turn."""
        self._thread.start()

    def close(self) -> None:
        """Sweep no more."""
        self._stop.set()

    def sweep(self) -> None:
        """Look once after everything, if it is this worker's turn.

        Raises DatabaseError and BrokerError; what was not reached is done at the next turn. What
        the database alone can tell is done without a broker, too.
        """
        lengths, away = self._measure()
        # Before the turn: whoever froze in it may hold its row.
        ended = ledger.end_frozen_sessions(self._database, self._settings.lease_s)
        if ended:
            log.warning("ended %d sessions of frozen workers", ended)
        holds_s = self._settings.sweep_s * _HOLDS
        if ledger.take_turn(self._database, _TURN, self._worker, holds_s):
            self._expire()
            for job_id in ledger.list_ended_jobs(self._database):
                ledger.complete(self._database, job_id)
            if lengths:
                self._send(lengths)
        if away:
            raise away

    def _expire(self) -> None:
        losses = ledger.expire_leases(self._database)
        counts = {name: len(getattr(losses, name)) for name in ("lost", "split", "condemned")}
        self._metrics.swept(**counts)
        for job_id in set(losses.lost):
            about = {"job": job_id} | {n: getattr(losses, n).count(job_id) for n in counts}
            log.warning("leases ran out", extra=about)

    def _send(self, lengths: dict[Priority, int]) -> None:
        overdue = ledger.mark_overdue(self._database, lengths, self._settings.resend_s)
        self._dispatcher.send(overdue)
        self._metrics.swept(resent=len(overdue))
        if overdue:
            log.warning("sent %d chunks again that the broker had forgotten", len(overdue))
        for job_id in ledger.list_unsent_jobs(self._database):
            self._dispatcher.top_up(job_id)

    def _measure(self) -> tuple[dict[Priority, int], BrokerError | None]:
        """Return the messages in each queue; none, and why, when the broker is away."""
        try:
            lengths = {priority: self._broker.length(priority) for priority in Priority}
        except BrokerError as error:
            return {}, error
        for priority, length in lengths.items():
            self._metrics.set_backlog(priority, length)
        return lengths, None

    def _run(self) -> None:
        asks_s = self._settings.sweep_s * _ASKS
        while not self._stop.is_set():
            self._vitals.beat("sweeper", 10 * self._settings.sweep_s + 300)
            try:
                with (
                    self._vitals.watching(Problem.DATABASE, DatabaseError),
                    self._vitals.watching(Problem.BROKER, BrokerError),
                ):
                    self.sweep()
            except (DatabaseError, BrokerError) as error:
                log.warning("the sweep was broken off: %s", error)
            except Exception:
                # A bug here must not end the thread that nobody else's work depends on less.
                log.exception("the sweep failed")
            # Spread out: workers that were started together would all ask at once.
            self._stop.wait(asks_s * random.uniform(0.8, 1.0))  # noqa: S311 (no secret)
