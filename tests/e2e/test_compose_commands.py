"""Each service of the compose file: its very command and environment, in a clean environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import httpx
import psycopg
import pytest
from compose import GIVEN, words_of
from machine import ComposedRedis, Machine, connect
from postgres_server import PostgresServer, copy_folder
from redis import exceptions
from services import find_free_port
from waiting import wait_for

#: What a password may hold: PostgreSQL's any character, Redis's what needs no escape in an address.
_GIVEN = GIVEN | {
    "IMAGEMILL_POSTGRES_PASSWORD": "p@s:s/w%r$d '\"#",
    "IMAGEMILL_FLOWER_PASSWORD": "F1",
}


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
    home = tmp_path_factory.mktemp("home")
    names = {"0.0.0.0": "127.0.0.1", "/var/lib/imagemill": str(home)}
    ports = {name: find_free_port() for name in ("worker", "worker-cpu", "web", "flower")}
    return Machine(installed.parent, home, given, names, ports)


@pytest.fixture(scope="module")
def with_redis(machine: Machine) -> Iterator[Machine]:
    """... with the Redis of the compose file."""
    shell, *words = words_of(machine.service("redis"))
    with closing(ComposedRedis(machine.programs)) as server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in machine.environment("redis").items():
                patch.setenv(name, value)
            server.launch([f"/bin/{shell}", *words], server.answers)
        yield replace(machine, names=machine.names | {"redis:6379": f"127.0.0.1:{server.port}"})


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
    port = int(with_redis.names["redis:6379"].partition(":")[2])
    with connect(port) as stranger, pytest.raises(exceptions.AuthenticationError):
        stranger.ping()
    with connect(port, _GIVEN["IMAGEMILL_REDIS_PASSWORD"]) as client:
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


def test_the_workers_get_ready_carry_a_job_and_drain(cluster: Machine, pictures: Path) -> None:
    with cluster.running("worker", "worker-cpu"):
        said = cluster.run("imagemill", "submit", str(pictures), "--weights", "demo", "--json")
        job = json.loads(said.splitlines()[-1])
        assert job["status"] == "completed"
        assert job["counts"]["succeeded"] == 12


def test_the_page_without_any_token_says_what_to_do_and_leaves(cluster: Machine) -> None:
    machine = replace(cluster, names=cluster.names | {"0.0.0.0": "0.0.0.0"})
    with machine.start("web") as process:
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert "without any token it listens on this machine alone, not on 0.0.0.0" in said
    assert "imagemill tokens create NAME --scope admin" in said


def test_pictures_that_were_sent_to_the_page_reach_the_workers(
    cluster: Machine, pictures: Path
) -> None:
    said = cluster.run("imagemill", "tokens", "create", "me", "--scope", "admin")
    (token,) = re.findall(r"^im_\S+$", said, re.MULTILINE)
    address = f"http://127.0.0.1:{cluster.ports['web']}"
    with cluster.running("web", "worker-cpu"), httpx.Client(base_url=address) as client:
        assert client.get("/api/v1/jobs").status_code == 401
        # As a proxy with TLS sends it.
        by_tls = {
            "X-Forwarded-Proto": "https",
            "Origin": f"https://127.0.0.1:{cluster.ports['web']}",
        }
        welcome = client.post("/login", data={"token": token}, headers=by_tls)
        assert "Secure" in welcome.headers["set-cookie"]
        client.headers["Authorization"] = f"Bearer {token}"
        files = [("pictures", (one.name, one.read_bytes())) for one in pictures.glob("*.jpg")]
        sent = client.post("/api/v1/jobs/pictures", files=files, data={"weights": "demo"})
        assert sent.status_code == 201, sent.text
        job = f"/api/v1/jobs/{sent.json()['job']['id']}"
        wait_for(lambda: client.get(job).json()["status"] == "completed", 60, "the end of the job")
        assert client.get(job).json()["counts"]["succeeded"] == len(files)
        assert client.get(f"{job}/images/0/thumbnail").content.startswith(b"\xff\xd8")
    assert any((cluster.home / "thumbnails").rglob("*.jpg"))


def test_flower_answers_those_who_know_the_password(with_redis: Machine) -> None:
    with with_redis.running("flower"):
        url = f"http://127.0.0.1:{with_redis.ports['flower']}/workers"
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
