"""A child of the supervisor: one command, its process, and when that is due to start again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

log = logging.getLogger(__name__)

#: The exit code of a command that cannot work as it was told; it has said so itself.
_WRONG_USE = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """How soon a child that died comes again, and how long a stop may take; all in seconds."""

    #: The pause after the first death; it doubles with each that follows,
    first_s: float = 1.0
    #: up to this one,
    longest_s: float = 60.0
    #: and starts anew after a child that lived this long. One that leaves with 2 and never did will
    #: never work. (On a busy machine it takes half a minute until a worker can say what is wrong.)
    steady_s: float = 60.0
    #: How long after its drain a child may take to leave, before it is killed.
    margin_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended: its exit code (a signal is negative), and whether it can ever work."""

    code: int
    useless: bool


class Child:
    """One command, kept for ever; a process of it lives, or is due at ``due`` (monotonic).

    The process has a session of its own, so that a Ctrl-C does not reach it past its parent, and
    hears SIGTERM when its parent dies (to be exact: the thread that called ``start``).
    """

    def __init__(self, number: int, command: Sequence[str], patience: Patience) -> None:
        self.number = number
        self.due = 0.0
        self.pidfd = -1
        self._command = list(command)
        self._patience = patience
        self._pause_s = patience.first_s
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._ran = False

    @property
    def lives(self) -> bool:
        """Whether it has a process that was not buried."""
        return self._process is not None

    @property
    def extra(self) -> dict[str, int | None]:
        """What its log lines carry."""
        return {"child": self.number, "pid": self._process.pid if self._process else None}

    def start(self) -> bool:
        """Start the process; False when the machine has no room for it now."""
        self._started = time.monotonic()
        # -P: a folder named workers where somebody happens to stand is not ours.
        tether = [sys.executable, "-P", "-m", "workers.tether", str(os.getpid())]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [*tether, *self._command], stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            self._back_off()
            log.warning("child %d cannot start: %s", self.number, error, extra=self.extra)
            return False
        self.pidfd = os.pidfd_open(self._process.pid)
        log.info("child %d started", self.number, extra=self.extra)
        return True

    def signal(self, number: int) -> None:
        """Send it a signal; a process that is not buried yet keeps its id."""
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def bury(self) -> Death:
        """Take leave of the process, which has ended, and settle when the next one is due."""
        assert self._process  # noqa: S101 (for mypy: only the living are buried)
        code = self._process.wait()
        os.close(self.pidfd)
        self._process = None
        if time.monotonic() - self._started >= self._patience.steady_s:
            self._ran = True
            self._pause_s = self._patience.first_s
        self._back_off()
        return Death(code, useless=code == _WRONG_USE and not self._ran)

    def _back_off(self) -> None:
        self.due = time.monotonic() + self._pause_s
        self._pause_s = min(self._patience.longest_s, 2 * self._pause_s)
