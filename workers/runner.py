"""The local runner: a small pool of threads that carries a job's chunks in this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.fetch.kinds import is_far
from pipeline.queries.jobs import list_open_images
from pipeline.records import Claim, JobRules
from workers.engine.engine import Engine
from workers.leases import Leases
from workers.processing import process_chunk

#: How often whoever waits hears of the progress, in seconds.
_TICK_S = 0.5
#: Threads at most: each holds a database connection while it stores.
_THREADS = 12
#: ... and of a job whose images are downloaded: a slow host holds up each chunk that it is in.
_FAR_THREADS = 40
#: How long a thread without a chunk sleeps at most before it looks again, in seconds.
_NAP_S = 1.0
#: ... and at least, in seconds: a chunk may be due that somebody else is just claiming.
_WINK_S = 0.05


class LocalRunner:
    """Carries one job from its open chunks to its end."""

    def __init__(
        self, database: Database, job_id: int, rules: JobRules, engine: Engine, lease_s: float
    ) -> None:
        self._database = database
        self._job_id = job_id
        self._rules = rules
        self._engine = engine
        self._lease_s = lease_s
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._leases = Leases(database, lease_s)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(_FAR_THREADS, "chunk")
        self._carriers: list[Future[None]] = []
        self._door = threading.Lock()

    def run(self, chunk_size: int, on_tick: Callable[[], None]) -> None:
        """Carry every chunk, then close the job's books; ``on_tick`` is called now and then.

        Raises what ended it early. After an interrupt the engine is closed, and every chunk in
        hand has been given back.
        """
        # Enough images in flight to fill the engine while some threads are storing.
        count = min(_THREADS, 2 + -(-self._engine.options.room // chunk_size))
        with self._pool:
            try:
                self._leases.start()
                self._hire(count)
                while self._wait():
                    on_tick()
            except BaseException:
                self._stop.set()  # Before the engine goes: a carrier must not claim once more.
                self._engine.close()
                raise
            finally:
                with self._door:
                    self._stop.set()
                # The carriers that are still storing do so in no time; their claims stay theirs.
                self._leases.close()
        for carrier in self._carriers:
            carrier.result()
        ledger.complete(self._database, self._job_id)
        on_tick()

    def _wait(self) -> bool:
        """Wait a moment; tell whether there is somebody to wait for, and nobody has failed."""
        carriers = tuple(self._carriers)
        left = wait(carriers, _TICK_S, FIRST_EXCEPTION).not_done
        failed = any(one.done() and one.exception() for one in carriers)
        return not failed and (bool(left) or len(carriers) < len(self._carriers))

    def _hire(self, count: int) -> None:
        with self._door:
            room = _FAR_THREADS - len(self._carriers)
            if not self._stop.is_set():
                self._carriers += [self._pool.submit(self._carry) for _ in range(min(count, room))]

    def _carry(self) -> None:
        while not self._stop.is_set():
            claim = ledger.claim_next(self._database, self._job_id, self._worker, self._lease_s)
            if claim is not None:
                self._process(claim)
                continue
            pause_s = ledger.seconds_to_next(self._database, self._job_id)
            if pause_s is None:
                return
            self._stop.wait(max(_WINK_S, min(pause_s, _NAP_S)))

    def _process(self, claim: Claim) -> None:
        with self._leases.hold(claim) as lease:
            with self._database.reading() as connection:
                images = list_open_images(connection, claim.job_id, claim.first, claim.last)
            if any(is_far(image.uri) for image in images):
                self._hire(1)
            process_chunk(self._database, lease, images, self._rules, self._engine)
