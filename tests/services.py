"""What the servers of the tests have in common: a port, and an end with the tests' process."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from waiting import wait_for

#: How long a server may take to start or to end.
PATIENCE_S = 30.0

#: Below those that the kernel gives to clients: one of them could take the port while its server is
#: down, even the very client that keeps trying it.
_PORTS = range(10_000, 32_000)

#: Not the seeded one: two runs by one seed side by side would try the same ports.
_random = random.SystemRandom()

_LEASH = Path(__file__).with_name("leash.py")

#: The kernel ends a child with the thread that started it; this one lives as long as the process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="services")


def find_free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no client is given."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class MissingServiceError(Exception):
    """A service that the tests need is not installed."""

    def __init__(self, service: str, remedy: str) -> None:
        super().__init__(f"the tests need {service}: install it by {remedy}")


class Service:
    """A server process that dies with this one; it runs as the owner of its folder."""

    #: What it gets when the tests' process dies.
    death = signal.SIGKILL

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def launch(self, command: list[str], ready: Callable[[], object]) -> None:
        """Start the command, and wait until ``ready()``."""
        assert self._process is None, "the server runs already"
        owner = self.folder.stat()
        words = [os.getpid(), int(self.death), owner.st_uid, owner.st_gid, *command]
        with (self.folder / "log").open("ab") as log:
            self._process = _starter.submit(_popen, [str(word) for word in words], log).result()
        try:
            wait_for(lambda: self._check() and ready(), PATIENCE_S, f"{command[0]}, ready,", 0.005)
        except BaseException:
            self.end(signal.SIGKILL)
            raise

    def _check(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"it ended with {code}: {(self.folder / 'log').read_text()[-2000:]}"
        return True

    def end(self, how: signal.Signals) -> None:
        """Send a signal that ends the process, and wait until it is gone; one that is, is fine."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(PATIENCE_S)
        self._process = None


def _popen(words: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-IS", str(_LEASH), *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        start_new_session=True,  # A Ctrl-C on the terminal is for the tests, not for the server.
    )
