"""Each service of the compose file: its very command and environment, in a clean environment.

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
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import psycopg
import pytest
from compose import GIVEN, environment_of, read_services, words_of
from postgres_server import PostgresServer, copy_folder
from redis import Redis, exceptions
from redis_binary import get_redis_binary
from services import Service, find_free_port
from waiting import wait_for

#: What a password may hold: PostgreSQL's any character, Redis's what needs no escape in an address.
_GIVEN = GIVEN | {
    "IMAGEMILL_POSTGRES_PASSWORD": "p@s:s/w%r$d '\"#",
    "IMAGEMILL_FLOWER_PASSWORD": "F1",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where services run: the command's folder, the user's, and what the network's names mean."""

    programs: Path
    home: Path
    given: dict[str, str]
    names: dict[str, str]

    def service(self, name: str) -> dict[str, Any]:
        """Return a service as it is to be run here."""
        text = json.dumps(read_services(self.given)[name])
        for there, here in self.names.items():
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
    def running(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """Start a service, wait until it is healthy, and stop it; it is to leave with 0."""
        with self.start(name) as process:
            try:
                wait_for(lambda: process.poll() is not None or self.is_healthy(name), 60, name)
                assert process.poll() is None, process.communicate()[0]
                yield process
                process.send_signal(signal.SIGTERM)
                said = process.communicate(timeout=60)[0]
            finally:
                process.kill()
        assert process.returncode == 0, said
        assert "Traceback" not in said


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
        with Redis("127.0.0.1", self.port) as client:
            try:
                return bool(client.ping())
            except exceptions.AuthenticationError:
                return True
            except (exceptions.ConnectionError, exceptions.BusyLoadingError):
                return False


def _write_program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve pictures."""
    from workers.demo.drawing import write_pictures

    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, count=12, seed=3)
    return folder


@pytest.fixture(scope="module")
def machine(installed: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine without any service."""
    given = _GIVEN | {"IMAGEMILL_PICTURES": str(pictures)}
    ports = {there: str(find_free_port()) for there in ("9464", "5555")}
    names = ports | {"0.0.0.0": "127.0.0.1"}
    return Machine(installed.parent, tmp_path_factory.mktemp("home"), given, names)


@pytest.fixture(scope="module")
def with_redis(machine: Machine) -> Iterator[Machine]:
    """... with the Redis of the compose file."""
    server = ComposedRedis(machine.programs)
    shell, *words = words_of(machine.service("redis"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in machine.environment("redis").items():
            patch.setenv(name, value)
        server.launch([f"/bin/{shell}", *words], server.answers)
    yield replace(machine, names=machine.names | {"redis:6379": f"127.0.0.1:{server.port}"})
    server.end(signal.SIGTERM)
    shutil.rmtree(server.folder)


@pytest.fixture(scope="module")
def with_postgres(with_redis: Machine, postgres_folder: Path) -> Iterator[Machine]:
    """... and with a PostgreSQL as the compose file's would be: one empty database, one user."""
    server = PostgresServer(copy_folder(postgres_folder))
    rules = server.folder / "pg_hba.conf"
    rules.write_text(f"host all imagemill 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    environment = with_redis.service("postgres")["environment"]
    user, name = (environment[f"POSTGRES_{word}"] for word in ("USER", "DB"))
    with server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            password = psycopg.sql.Literal(environment["POSTGRES_PASSWORD"])
            made = psycopg.sql.SQL(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD {{}}")
            admin.execute(made.format(password))
            admin.execute(f"CREATE DATABASE {name} OWNER {user} TEMPLATE template0")
        names = with_redis.names | {"postgres:5432": f"127.0.0.1:{server.port}"}
        yield replace(with_redis, names=names)


@pytest.fixture(scope="module")
def cluster(with_postgres: Machine) -> Machine:
    """... and migrated by the compose file's command."""
    said = with_postgres.run("migrate")
    assert "is up to date" in said
    return with_postgres


def test_redis_keeps_everything_and_lets_nobody_in_without_its_password(
    with_redis: Machine,
) -> None:
    assert with_redis.is_healthy("redis")
    host, _, port = with_redis.names["redis:6379"].partition(":")
    with Redis(host, int(port)) as stranger, pytest.raises(exceptions.AuthenticationError):
        stranger.ping()
    with Redis(host, int(port), password=_GIVEN["IMAGEMILL_REDIS_PASSWORD"]) as client:
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "maxmemory": str(2**30),
        }
        assert wanted.items() <= client.config_get("*").items()


def test_a_second_migration_changes_nothing_and_any_command_can_be_run(cluster: Machine) -> None:
    assert "is up to date" in cluster.run("migrate")
    state = json.loads(cluster.run("imagemill", "db", "check", "--json"))
    assert state["fits"] is True
    assert "Usage: imagemill" in cluster.run("imagemill")


def test_a_cpu_worker_gets_ready_carries_a_job_and_drains(cluster: Machine, pictures: Path) -> None:
    with cluster.running("worker-cpu"):
        said = cluster.run("imagemill", "submit", str(pictures), "--weights", "demo", "--json")
        job = json.loads(said.splitlines()[-1])
        assert job["status"] == "completed"
        assert job["counts"]["succeeded"] == 12


def test_the_worker_for_all_gpus_gets_ready_and_leaves(cluster: Machine) -> None:
    with cluster.running("worker"):
        pass


def test_flower_answers_those_who_know_the_password(with_redis: Machine) -> None:
    with with_redis.running("flower"):
        url = f"http://127.0.0.1:{with_redis.names['5555']}/workers"
        browser = build_opener(ProxyHandler({}))
        with pytest.raises(HTTPError) as refused:
            browser.open(url, timeout=10)
        assert refused.value.code == 401
        refused.value.close()
        welcome = {"Authorization": "Basic aW1hZ2VtaWxsOkYx"}  # imagemill:F1
        with browser.open(Request(url, headers=welcome), timeout=10) as page:
            assert b"Flower" in page.read()


def test_flower_without_a_password_says_what_to_do(with_redis: Machine) -> None:
    machine = replace(with_redis, given=with_redis.given | {"IMAGEMILL_FLOWER_PASSWORD": ""})
    with machine.start("flower") as process:
        said = process.communicate(timeout=30)[0]
    assert process.returncode != 0
    assert "IMAGEMILL_FLOWER_PASSWORD: write it into .env" in said
