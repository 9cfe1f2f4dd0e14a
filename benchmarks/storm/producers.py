"""The producers: processes that submit jobs, each started again when it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from storm.findings import Findings
from storm.processes import MARK, start_process
from storm.workload import PlannedJob

_PRODUCE = Path(__file__).with_name("produce.py")
#: How long one may take to end when there is nothing more to submit, in seconds.
_END_S = 30.0


class Producer:
    """One producing process after another; what it was told and has not done, the next one does."""

    def __init__(
        self, number: int, folder: Path, environment: Mapping[str, str], findings: Findings
    ) -> None:
        self.log = folder / f"producer-{number}.log"
        self._environment = {**environment, MARK: f"{os.getpid()}-producer-{number}"}
        self._findings = findings
        self._lock = threading.Lock()
        self._due: dict[str, PlannedJob] = {}
        self._told_to_end = self._killed = False
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="producer", daemon=True)
        self._keeper.start()

    def tell(self, job: PlannedJob) -> None:
        """Let it submit a job, too."""
        with self._lock:
            self._due[job.name] = job
            self._write(job)

    def due(self) -> list[str]:
        """Return the names of the jobs that it has not said to be stored."""
        with self._lock:
            return list(self._due)

    def kill(self) -> None:
        """Kill it (SIGKILL); another one takes its place."""
        with self._lock:
            self._killed = True
            self._process.send_signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal that does not end it."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._told_to_end = True
            assert self._process.stdin
            with suppress(OSError):
                self._process.stdin.close()
        self._keeper.join(_END_S)
        if self._keeper.is_alive():
            self._findings.add(f"a producer did not end; {self.log.name} says why")
            self.kill()

    def _start(self) -> subprocess.Popen[str]:
        return start_process(
            [sys.executable, str(_PRODUCE)], self._environment, self.log, piped=True
        )

    def _keep(self) -> None:
        while True:
            assert self._process.stdout
            for line in self._process.stdout:
                with self._lock:
                    self._due.pop(line.strip(), None)
            code = self._process.wait()
            if self._told_to_end:
                return
            with self._lock:
                if not self._killed:
                    self._findings.add(f"a producer left by itself, with {code}")
                self._killed = False
                self._process = self._start()
                for job in self._due.values():
                    self._write(job)

    def _write(self, job: PlannedJob) -> None:
        told = {
            "name": job.name,
            "manifest": str(job.manifest),
            "priority": job.priority,
            "chunk_size": job.chunk_size,
            "images": len(job.wanted),
            "rest_s": job.rest_s,
        }
        assert self._process.stdin
        with suppress(OSError):  # It is dead; the next one hears of it.
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
