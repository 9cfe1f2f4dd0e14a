"""Starts workers and producers as processes of their own, and hears how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_HERE = Path(__file__).parent
#: Where a new process finds the tests' modules, and the product.
PYTHONPATH = os.pathsep.join([str(_HERE), str(_HERE.parent)])
#: How long a process may take to be born, to be ready or to end on a busy machine, in seconds.
PATIENCE_S = 60.0


class Program:
    """A process of a nursery; its log is a file."""

    def __init__(self, telling: socket.socket, log: Path) -> None:
        self._telling = telling
        self._code: int | None = None
        telling.settimeout(PATIENCE_S)
        self.pid = int(telling.recv(100))
        self.log = log

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self._hear(0.0) is None

    def said(self) -> str:
        """Return what it has written up to now."""
        return self.log.read_text(errors="replace")

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return its exit code (a signal is negative); fail when it does not end in time."""
        code = self._hear(timeout_s)
        assert code is not None, f"it did not end within {timeout_s:g} s: {self.said()[-3000:]}"
        return code

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Send it and its children a signal, as the terminal does at a Ctrl-C."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it is gone; one that is gone already is fine."""
        if self.lives:
            self.signal(signal.SIGKILL)
            self.wait()

    def freeze(self) -> None:
        """Stop it in its tracks."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def _hear(self, timeout_s: float) -> int | None:
        if self._code is None:
            self._telling.settimeout(timeout_s)
            try:
                self._code = int(self._telling.recv(100))
            except (TimeoutError, BlockingIOError):
                return None
            self._telling.close()
        return self._code


class Nursery:
    """Forks programs from a process that has imported torch: each starts in a moment."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # One thread: a fork has no others.
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH, "OPENBLAS_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_HERE / "nursery.py")],
                stdin=theirs.fileno(),
                env=environment,
                start_new_session=True,
            )

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        afresh: bool = False,
    ) -> Program:
        """Start ``python -m WORDS`` in ``folder``, with ``environment`` over this one's.

        ``afresh``: by a new interpreter, which imports everything itself.
        """
        name = f"{Path(words[0]).stem}-{time.monotonic_ns()}.log"
        request = {
            "words": list(words),
            "environment": {**os.environ, "PYTHONPATH": PYTHONPATH, **environment},
            "folder": str(folder),
            "afresh": afresh,
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, (folder / name).open("ab") as log:
            text = json.dumps(request).encode()
            socket.send_fds(self._requests, [text], [log.fileno(), theirs.fileno()])
        return Program(ours, folder / name)

    def close(self) -> None:
        """End it, and every program that still lives."""
        self._requests.close()
        self._process.wait(PATIENCE_S)
