"""A worker as its users start it, for the tests that run commands."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_for

#: How long a worker may take to start on a busy machine, in seconds.
_START_S = 60


class WorkerProcess:
    """A running worker; what it says on standard error is in ``log``."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def said(self) -> str:
        """Return what it has written so far."""
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Wait until it takes messages."""
        wait_for(lambda: " ready" in self.said() or self.process.poll(), _START_S, "the worker")
        assert self.process.poll() is None, self.said()

    def stop(self) -> int:
        """Send SIGTERM, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running_worker(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[WorkerProcess]:
    """Start a worker and wait until it is ready; it is killed at the end."""
    log = folder / f"worker-{os.urandom(4).hex()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdout=file, stderr=file
        )
    worker = WorkerProcess(process, log)
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        process.kill()
        process.wait()
