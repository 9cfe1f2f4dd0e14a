"""The crew: the worker processes of the storm, always as many as were asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from storm.findings import Findings
from storm.options import Options
from storm.processes import describe
from storm.worker import WorkerProcess
from waiting import wait_for

#: How long a worker may take to say that it is ready, in seconds.
_START_S = 120.0
#: How long after its drain it may take to leave: a command to a Redis in a hole takes 5 s.
_LEAVE_S = 30.0
#: How long the processes of one that ended may live: a fork server notices it after its imports.
_FAMILY_S = 30.0
#: The exit code of a worker that cannot begin.
_REFUSED = 2
#: How often it is looked who has ended.
_LOOK_S = 0.2


class Crew:
    """Starts workers, and a new one for each that ended; any thread may call any method."""

    def __init__(
        self, options: Options, environment: Mapping[str, str], findings: Findings
    ) -> None:
        self._options = options
        self._environment = environment
        self._findings = findings
        self._lock = threading.Lock()
        self._workers: list[WorkerProcess] = []
        self._hired = 0
        self._closing = threading.Event()
        #: How many found Redis or the database away as they started.
        self.refusals = 0
        #: How long each that left after SIGTERM took for it, in seconds.
        self.stops_s: list[float] = []
        self._keeper = threading.Thread(target=self._keep, name="crew", daemon=True)

    def start(self) -> None:
        """Hire until the crew is complete, now and whenever one ends."""
        self._keeper.start()

    def hire(self, *, sound: bool = False) -> WorkerProcess:
        """Start one more worker; a ``sound`` one breaks no rule."""
        options = replace(self._options, broken=None) if sound else self._options
        with self._lock:
            worker = WorkerProcess(self._hired, options, self._environment)
            self._hired += 1
            self._workers.append(worker)
            return worker

    def list(self) -> list[WorkerProcess]:
        """Return the workers there are."""
        with self._lock:
            return list(self._workers)

    def wait_ready(self, count: int) -> None:
        """Wait until so many workers take messages."""
        wait_for(lambda: self.count_ready() >= count, _START_S, "workers", 0.2)

    def count_ready(self) -> int:
        """Return how many workers take messages."""
        return sum(one.is_ready() for one in self.list())

    @contextmanager
    def borrowed(self, pick: float, *, ready: bool) -> Iterator[WorkerProcess | None]:
        """Give a worker that no other fault has in its hands; None: there is none.

        ``pick`` (0 to 1) chooses; a ``ready`` one takes messages.
        """
        workers = [one for one in self.list() if one.is_ready() or not ready]
        start = int(pick * len(workers))
        for worker in workers[start:] + workers[:start]:
            if worker.busy.acquire(blocking=False):
                try:
                    yield worker
                finally:
                    worker.busy.release()
                return
        yield None

    def kill(self, worker: WorkerProcess) -> None:
        """Kill it (SIGKILL)."""
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        self._bury(worker)

    def stop(self, worker: WorkerProcess) -> None:
        """Stop it (SIGTERM): it must leave with 0, and in time."""
        started, bound_s = time.monotonic(), self._options.drain_s + _LEAVE_S
        worker.signal(signal.SIGTERM)
        try:
            code = worker.process.wait(bound_s)
        except subprocess.TimeoutExpired:
            self._findings.add(f"worker {worker.number} outlived SIGTERM by {bound_s:g} s")
            self.kill(worker)
            return
        if code:
            self._findings.add(f"worker {worker.number} left with {code} after SIGTERM")
        self.stops_s.append(time.monotonic() - started)
        self._bury(worker)

    def close(self) -> None:
        """Stop them all, and hire nobody any more."""
        self._closing.set()
        if self._keeper.is_alive():
            self._keeper.join()
        threads = [threading.Thread(target=self.stop, args=(one,)) for one in self.list()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _keep(self) -> None:
        while not self._closing.wait(_LOOK_S):
            for worker in self.list():
                if not worker.is_alive() and worker.told is None:
                    self._note_desertion(worker)
                    self._bury(worker)
            missing = self._options.workers - sum(one.told is None for one in self.list())
            for _ in range(missing):
                self.hire()

    def _note_desertion(self, worker: WorkerProcess) -> None:
        code = worker.process.returncode
        if code == _REFUSED and not worker.was_ready():
            # A server was away as it started, and it said so; whoever supervises it tries again.
            self.refusals += 1
        else:
            self._findings.add(f"worker {worker.number} left by itself, with {code}")

    def _bury(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._workers.remove(worker)
        try:
            wait_for(lambda: not worker.family(), _FAMILY_S, "the end of its processes", 0.1)
        except AssertionError:
            left = worker.family()
            what = [describe(pid) for pid in left]
            self._findings.add(f"worker {worker.number} left processes behind: {what}")
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
