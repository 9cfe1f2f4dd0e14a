"""Shared memory: what the processes of the storm hold in /dev/shm, and what they leave there."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from storm.findings import Findings
from waiting import wait_for

_FOLDER = Path("/dev/shm")
_MAPPED = re.compile(rf"{_FOLDER}/(\S+)")
#: How often it is looked, and how long the names may outlive the processes, in seconds.
_LOOK_S, _OUTLIVE_S = 1.0, 10.0


class SharedMemory:
    """Notes the names that our processes map: other people's are none of our business."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shm", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self, findings: Findings) -> None:
        """Look no more; find what is left, now that none of the processes lives."""
        self._stop.set()
        self._thread.join()
        try:
            wait_for(lambda: not self._left(), _OUTLIVE_S, "a clean /dev/shm", 0.2)
        except AssertionError:
            left = sorted(self._left())
            findings.add(f"{len(left)} of {len(self.seen)} files stayed in /dev/shm: {left[:3]}")

    def _left(self) -> set[str]:
        return {path.name for path in _FOLDER.iterdir()} & self.seen

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            for pid in self._processes():
                with suppress(OSError):
                    maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
                    self.seen.update(_MAPPED.findall(maps))
