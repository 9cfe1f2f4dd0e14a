"""A worker: everything that one process holds, from its start to the end of its drain."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import NoReturn

from celery import Celery
from celery.worker import state

from pipeline.broker import Broker
from pipeline.config import Settings
from pipeline.database.database import Database, open_database
from pipeline.dispatcher import Dispatcher
from pipeline.errors import EngineError
from pipeline.ledger import WORKER_SESSION
from workers.carrier import Carrier, Crew
from workers.drain import Drain
from workers.engines import Engines, StartEngine
from workers.gate import Gate
from workers.leases import Leases
from workers.sweeper import Sweeper
from workers.watch.metrics import Metrics
from workers.watch.probes import Probes, serve
from workers.watch.vitals import Problem, Vitals
from workers.webhooks import Webhooks

log = logging.getLogger(__name__)

#: The exit code of a process whose device or engine is gone: its supervisor starts a new one.
LOST = 70
#: How long the other threads have to give their chunks back before it goes, in seconds: one that
#: hangs in a lost device never comes back.
_FAREWELL_S = 10.0
#: How long after its drain a worker waits for a broker that does not answer, in seconds.
_GOODBYE_S = 10.0
#: How often it is looked whether the engines make progress, in seconds.
_WATCH_S = 5.0


class Worker:
    """One device's worker. ``start`` opens what it needs; ``carry`` may be called by any thread."""

    def __init__(self, settings: Settings, app: Celery, start_engine: StartEngine) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.vitals = Vitals()
        self.metrics = Metrics(self.vitals.problems)
        self._settings = settings
        self._app = app
        self._engines = Engines(settings, start_engine)
        self._drain = Drain(self._engines.close)
        self._stop = threading.Event()
        self._probes: Probes | None = None

    def start(self) -> None:
        """Open the database and the broker, and begin to sweep, to renew and to answer probes.

        Raises DatabaseError, BrokerError or UsageError in a sentence.
        """
        settings = self._settings
        if settings.metrics_port is not None:
            where = (settings.metrics_host, settings.metrics_port)
            self._probes = serve(*where, self.metrics, self.vitals)
            log.info("metrics at port %d", self._probes.port)
        self._database = open_database(settings.database_url, WORKER_SESSION)
        self._broker = Broker(settings.broker_url, self._app)
        self._broker.check()
        self._leases = Leases(self._database, settings.lease_s, self.metrics.lease_lost)
        self._carrier = Carrier(self._crew(self._database, self._broker, self._leases))
        self._sweeper = Sweeper(
            self.name, self._database, self._broker, settings, self.metrics, self.vitals
        )
        self._webhooks = Webhooks(self._database, settings, self.vitals)
        for thread in (self._leases, self._sweeper, self._webhooks):
            thread.start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def be_ready(self) -> None:
        """Say that messages may come."""
        self.vitals.start()
        log.info("ready", extra={"worker": self.name, "device": self._settings.device})

    def carry(self, fields: tuple[object, ...]) -> None:
        """Carry one message; nothing is raised: Celery's thread pool would lose a slot by it."""
        try:
            self._carrier.carry(fields)
        except EngineError as error:
            if not self._drain.over.is_set():
                self.leave(str(error))
        except BaseException:
            # The chunk's lease runs out, and counts as a loss: a bug cannot spin on it for ever.
            log.exception("chunk left to its lease")

    def drain(self) -> None:
        """Take no new chunk; finish what is in hand, or give it back at the deadline.

        Called again: at once.
        """
        if self._drain.begun.is_set():
            self._drain.hurry()
            return
        log.info("draining", extra={"deadline_s": self._settings.drain_s})
        self.vitals.drain()
        self._drain.begin(self._settings.drain_s)
        threading.Thread(target=self._leave_anyway, name="goodbye", daemon=True).start()

    def close(self) -> None:
        """End what ``start`` began; nothing is in hand any more."""
        self._stop.set()
        self._sweeper.close()
        self._webhooks.close()
        self._leases.close()
        self._engines.close()
        if self._probes:
            self._probes.close()
        self._database.close()
        log.info("stopped")

    def leave(self, reason: str) -> None:
        """End this process soon: another one may fare better on the same device."""
        if self._drain.begun.is_set() and self._stop.is_set():
            return
        self._stop.set()
        log.critical("leaving: %s", reason)
        self.vitals.trouble(Problem.ENGINE, reason)
        self._drain.hurry()
        # Celery stops reading, and puts back what it has read: this process would take again what
        # it gives back, and go with it in hand.
        state.should_stop = LOST
        threading.Thread(target=_exit_soon, name="farewell", daemon=True).start()

    def _crew(self, database: Database, broker: Broker, leases: Leases) -> Crew:
        return Crew(
            name=self.name,
            database=database,
            dispatcher=Dispatcher(database, broker, self._settings.send_ahead),
            engines=self._engines,
            leases=leases,
            lease_s=self._settings.lease_s,
            metrics=self.metrics,
            vitals=self.vitals,
            drain=self._drain,
            gate=Gate(),
        )

    def _leave_anyway(self) -> None:
        """End the process though Celery still tries to acknowledge what is done or given back."""
        self._drain.over.wait()
        if not self._stop.wait(_GOODBYE_S):
            log.warning("leaving without a word to the broker, which does not answer")
            os._exit(0)

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_S):
            stalled_s = self._engines.stalled_s()
            if stalled_s > self._settings.stall_s:
                self.leave(f"the engine has made no progress for {stalled_s:.0f} s")


def _exit_soon() -> NoReturn:
    threading.Event().wait(_FAREWELL_S)
    # Not sys.exit: threads that hang in a lost device would keep the process.
    os._exit(LOST)
