"""A machine on which services of the compose file run without an engine, each by its very command.

The engine's part is played here: names and ports of its network become those of 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from compose import environment_of, read_services, words_of
from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_binary import get_redis_binary
from services import Service
from waiting import wait_for


@dataclass(frozen=True, slots=True)
class Machine:
    """Where services run: the command's folder, the user's, and what the network's names mean."""

    programs: Path
    home: Path
    given: dict[str, str]
    names: dict[str, str]
    ports: dict[str, int]

    def service(self, name: str) -> dict[str, Any]:
        """Return a service as it is to be run here."""
        text = json.dumps(read_services(self.given)[name])
        port = str(self.ports.get(name))
        for there, here in {**self.names, "9464": port, "5555": port, "8420": port}.items():
            text = text.replace(there, here)
        service: dict[str, Any] = json.loads(text)
        return service

    def environment(self, name: str) -> dict[str, str]:
        """Return all that a service finds in its environment."""
        path = f"{self.programs}:{os.environ['PATH']}"
        home = {"HOME": str(self.home), "TORCH_HOME": str(self.home / "torch"), "PATH": path}
        return home | environment_of(self.service(name))

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        """Start a service, or a command in its place."""
        command = words_of(self.service(name))
        command[1:] = words or command[1:]
        return subprocess.Popen(
            [shutil.which(command[0], path=str(self.programs)) or command[0], *command[1:]],
            env=self.environment(name),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, name: str, *words: str) -> str:
        """Run a service to its end, which is to be a good one; return what it said."""
        with self.start(name, *words) as process:
            said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
        return said

    def is_healthy(self, name: str) -> bool:
        """Ask a service's own health check."""
        kind, *command = self.service(name)["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            command = ["sh", "-c", *command]
        command[0] = shutil.which(command[0], path=str(self.programs)) or command[0]
        done = subprocess.run(command, env=self.environment(name), capture_output=True, check=False)
        return done.returncode == 0

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Start services, wait until they are healthy, and stop them; they are to leave with 0."""
        with ExitStack() as stack:
            started = {name: stack.enter_context(self.start(name)) for name in names}
            for process in started.values():
                stack.callback(process.kill)
            for name, process in started.items():
                # A check starts a Python: not too often.
                wait_for(partial(self._is_up, name, process), 120, f"a healthy {name}", 0.5)
            yield
            for process in started.values():
                process.send_signal(signal.SIGTERM)
            for process in started.values():
                said = process.communicate(timeout=120)[0]
                assert process.returncode == 0, said
                assert "Traceback" not in said

    def _is_up(self, name: str, process: subprocess.Popen[str]) -> bool:
        assert process.poll() is None, process.communicate()[0]
        return self.is_healthy(name)


class ComposedRedis(Service):
    """A Redis server that the compose file's command starts."""

    def __init__(self, programs: Path) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="imagemill-redis-")))
        binary = Path(get_redis_binary())
        here = f'"$@" --port {self.port} --bind 127.0.0.1 --dir {self.folder}'
        _write_program(programs / "redis-server", f"exec {binary} {here}")
        client = binary.with_name("redis-cli")
        _write_program(programs / "redis-cli", f'exec {client} -p {self.port} "$@"')

    def answers(self) -> bool:
        """Tell whether it listens."""
        with connect(self.port) as client:
            try:
                return bool(client.ping())
            except exceptions.AuthenticationError:
                return True
            except (exceptions.ConnectionError, exceptions.BusyLoadingError):
                return False

    def close(self) -> None:
        """End it for good, with its data."""
        self.end(signal.SIGTERM)
        shutil.rmtree(self.folder)


def connect(port: int, password: str | None = None) -> Redis:
    """Return a client that tries once."""
    once = Retry(NoBackoff(), 0)
    return Redis("127.0.0.1", port, password=password, retry=once)


def _write_program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
