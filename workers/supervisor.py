"""The supervisor: the parent of ``imagemill worker --device all``, with one child for each GPU."""

from __future__ import annotations

import logging
import math
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workers.child import Child, Patience

log = logging.getLogger(__name__)

#: A child cannot work as it was told.
_WRONG_USE = 2
#: How a child ends that was told to stop: drained, or stopped before it had anything in hand.
_STOPPED = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def command_for(device: str, argv: Sequence[str]) -> list[str]:
    """Return the command of the worker of one device; ``argv`` is its other options."""
    # -P: a folder named pipeline where somebody happens to stand is not ours.
    program = [sys.executable, "-P", "-m", "pipeline.cli.main"]
    return [*program, "worker", "--device", device, *argv]


def supervise(
    commands: Sequence[Sequence[str]], drain_s: float, patience: Patience | None = None
) -> int:
    """Keep a child alive for each command until SIGTERM or Ctrl-C; return the exit code.

    0: all drained; 1: one did not, or had to be killed; 2: one cannot work as it was told, so the
    others were stopped too. Only the main thread may call this. A killed supervisor leaves nobody
    behind: its children hear SIGTERM, and drain.
    """
    patience = patience or Patience()
    children = [Child(number, command, patience) for number, command in enumerate(commands)]
    with _hearing_stops() as stops:
        return _Supervisor(children, drain_s + patience.margin_s, stops).run()


class _Supervisor:
    """One loop that wakes at a death, at a signal, and when somebody is due."""

    def __init__(self, children: Sequence[Child], stop_s: float, stops: socket.socket) -> None:
        self._children = children
        self._stop_s = stop_s
        self._stops = stops
        self._selector = selectors.DefaultSelector()
        self._selector.register(stops, selectors.EVENT_READ)
        self._deadline: float | None = None
        self._code = 0

    def run(self) -> int:
        try:
            while self._deadline is None or self._living():
                if self._deadline is None:
                    self._start_due()
                self._wait()
        finally:
            self._kill()  # Nobody is left, unless a bug of ours ended the loop.
            self._selector.close()
        return self._code

    def _living(self) -> list[Child]:
        return [child for child in self._children if child.lives]

    def _start_due(self) -> None:
        for child in self._children:
            if not child.lives and child.due <= time.monotonic() and child.start():
                self._selector.register(child.pidfd, selectors.EVENT_READ, child)

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._idle_s()):
            if isinstance(key.data, Child):
                self._selector.unregister(key.fd)
                self._bury(key.data)
            elif {signal.SIGTERM, signal.SIGINT} & set(self._stops.recv(64)):
                self._stop("told to stop")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill()

    def _idle_s(self) -> float | None:
        """Return how long there is nothing to do, should nobody die and no signal come."""
        wake = self._deadline
        if wake is None:
            wake = min((c.due for c in self._children if not c.lives), default=math.inf)
        return None if wake == math.inf else max(0.0, wake - time.monotonic())

    def _bury(self, child: Child) -> None:
        extra = child.extra
        death = child.bury()
        if self._deadline is not None:
            log.info("child %d left with %d", child.number, death.code, extra=extra)
            self._code = self._code or int(death.code not in _STOPPED)
        elif death.useless:
            log.error("child %d cannot work as it was told", child.number, extra=extra)
            self._code = _WRONG_USE
            self._stop("stopping")
        else:
            pause_s = child.due - time.monotonic()
            text = "child %d left with %d; it starts again in %.0f s"
            log.warning(text, child.number, death.code, pause_s, extra=extra)

    def _stop(self, why: str) -> None:
        """Pass a stop on; the second one means to a worker: at once."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._stop_s
        living, left_s = self._living(), self._deadline - time.monotonic()
        log.info("%s; waiting for %d children, %.0f s at most", why, len(living), left_s)
        for child in living:
            child.signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._deadline = math.inf
        for child in self._living():
            log.error("child %d does not end; killed", child.number, extra=child.extra)
            child.signal(signal.SIGKILL)


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the signal is read from the socket."""


@contextmanager
def _hearing_stops() -> Iterator[socket.socket]:
    """Give a socket from which the numbers of the signals that came can be read."""
    # A shell that starts us in the background has Ctrl-C ignored, and means it.
    heard = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) != signal.SIG_IGN]
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        woken = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _ignore) for number in heard}
        try:
            yield reader
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woken)
