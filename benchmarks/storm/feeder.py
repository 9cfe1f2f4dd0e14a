"""The feeder: lets the producers submit jobs for as long as few images are open."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from storm.producers import Producer
from storm.reader import Reader
from storm.workload import PlannedJob, Workload

#: How often it looks how many images are open, in seconds.
_LOOK_S = 0.5
#: Jobs that may be on their way from the producers.
_UNDER_WAY = 2
_OPEN = """
SELECT coalesce(sum(chunks.last - chunks.first + 1), 0) FROM chunks JOIN jobs ON jobs.id = job_id
WHERE jobs.status IN ('pending', 'running') AND state IN ('queued', 'running')
"""


class Feeder:
    """Tells of each job both producers at once, or one of them now and another one later."""

    def __init__(
        self, reader: Reader, workload: Workload, producers: Sequence[Producer], seed: int
    ) -> None:
        self.jobs: list[PlannedJob] = []
        self._reader = reader
        self._workload = workload
        self._producers = list(producers)
        self._rng = random.Random(f"{seed} feeder")
        self._later: list[tuple[Producer, PlannedJob]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def release(self, job: PlannedJob | None = None) -> None:
        """Let a job be submitted: the next one, unless it is given."""
        with self._lock:
            job = job or self._workload.plan(len(self.jobs))
            self.jobs.append(job)
            first, second = self._rng.sample(self._producers, 2)
            first.tell(job)
            if self._rng.random() < 0.5:
                second.tell(job)
            else:
                self._later.append((second, job))
            self._catch_up(2)

    def close(self) -> None:
        """Feed no more; what was left for later is told now."""
        self._stop.set()
        self._thread.join()
        self._reader.close()
        with self._lock:
            self._catch_up(0)

    def due(self) -> set[str]:
        """Return the names of the jobs that a producer has not said to be stored."""
        return {name for producer in self._producers for name in producer.due()}

    def _catch_up(self, left: int) -> None:
        while len(self._later) > left:
            producer, job = self._later.pop(0)
            producer.tell(job)

    def _feed(self) -> None:
        while not self._stop.wait(_LOOK_S):
            found = self._reader.find(_OPEN)
            few = found is not None and found[0][0] < self._workload.scale.enough_open
            if few and len(self.due()) < _UNDER_WAY:
                self.release()
