"""A worker process of the storm, with a mark, and a log in a file of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from storm.options import Options
from storm.processes import MARK, list_children, list_loaders, start_process

_LAUNCH = Path(__file__).with_name("launch.py")
_WORDS = ("worker", "--device", "cpu", "--loaders", "1", "--concurrency", "4")
_READY = '"message": "ready"'


class WorkerProcess:
    """One `imagemill worker`; ``told`` is the signal that it was told to die of, if any."""

    def __init__(self, number: int, options: Options, environment: Mapping[str, str]) -> None:
        self.number = number
        self.log = options.folder / f"worker-{number:03}.log"
        self.told: signal.Signals | None = None
        #: Held by the fault that has it in its hands.
        self.busy = threading.Lock()
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}-{number}"
        self.process = start_process(
            [sys.executable, str(_LAUNCH), *_WORDS, "--log-format", "json"],
            {**environment, MARK: self._mark, **_changes(options)},
            self.log,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        return f"{socket.gethostname()}:{self.pid}"

    def is_alive(self) -> bool:
        """Tell whether its process has not ended."""
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Tell whether it lives, and has said that messages may come."""
        return self.is_alive() and self.was_ready()

    def was_ready(self) -> bool:
        """Tell whether it has said that messages may come."""
        return _READY in self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; what ends it is noted."""
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.told = number
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def loaders(self) -> list[int]:
        """Return the ids of its loader processes."""
        return list_loaders(self._mark, self.pid)

    def family(self) -> set[int]:
        """Return the ids of all live processes that it has started, and its own."""
        return list_children(self._mark)


def _changes(options: Options) -> dict[str, str]:
    changes = {"STORM_VISIBILITY_S": str(options.visibility_s)}
    changes |= {"STORM_NULL": "1"} if options.null else {}
    return changes | ({"STORM_BREAK": options.broken} if options.broken else {})
