"""The logbook: what the workers and the producers had to say, and what of it tells of a bug."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

#: What differs between two lines of one kind.
_VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|\d[\d.]*")
#: What Celery tells with a traceback, and is no bug: its connection broke as it acknowledged.
_BROKEN_OFF = re.compile(r"redis\.exceptions\.(Connection|Timeout)Error")
#: How much is shown of what a traceback ends with.
_SHOWN = 300


class Logbook:
    """Counts the lines of logs by what they say; a traceback counts as a bug."""

    def __init__(self) -> None:
        #: How often each kind of line was there: its level and its message without numbers.
        self.lines: Counter[str] = Counter()
        #: What tells of a bug, and in which log.
        self.bugs: dict[str, str] = {}

    def read(self, logs: Iterable[Path]) -> None:
        """Count the lines of these logs too."""
        for log in logs:
            for line in log.read_text(errors="replace").splitlines():
                self._read(line, log)

    def findings(self) -> list[str]:
        """Return a sentence for each kind of bug."""
        return [f"{log} tells of a bug: {what}" for what, log in self.bugs.items()]

    def _read(self, line: str, log: Path) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, Mapping):
            if line[:1].strip("= {"):  # Not the stack of a thread that was asked where it is.
                self.lines[f"STRAY {_VARIES.sub('#', line)}"] += 1
            if "Traceback" in line:
                self.bugs.setdefault(line, log.name)
            return
        kind = f"{told['level']} {told['logger']}: {_VARIES.sub('#', told['message'])}"
        self.lines[kind] += 1
        if "traceback" in told:
            end = told["traceback"].strip().splitlines()[-1]
            if not (told["logger"].startswith("celery") and _BROKEN_OFF.match(end)):
                self.bugs.setdefault(f"{kind}: {_VARIES.sub('#', end)[:_SHOWN]}", log.name)
