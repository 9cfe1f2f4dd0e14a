"""`imagemill serve` as a user types it: where it listens, who may ask, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from command import COMMAND, Run, assert_refused

from pipeline.database.database import Database

Start = Callable[..., tuple["subprocess.Popen[str]", str, str]]
_SECRET = "s3cr3t-query"


@pytest.fixture
def start(
    environment: dict[str, str], own_database: Database, sqlite_url: str, tmp_path: Path
) -> Iterator[Start]:
    """A function that starts a server: its process, its address, and the line that it said."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str) -> tuple[subprocess.Popen[str], str, str]:
        changed = {
            "IMAGEMILL_DATABASE_URL": sqlite_url,
            "IMAGEMILL_BROKER_URL": "redis://127.0.0.1:1/0",
            "IMAGEMILL_UPLOADS": str(tmp_path / "uploads"),
        }
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", *words],
            env=environment | changed,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"(http://\S+:[1-9]\d*) ", line)
        assert found, line + process.communicate(timeout=10)[1]
        return process, found[1], line

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def command(imagemill: Run, sqlite_url: str) -> Run:
    """The command on the same database."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return imagemill(*words, IMAGEMILL_DATABASE_URL=sqlite_url)

    return run


def test_it_says_where_it_listens_and_that_no_token_is_needed(start: Start) -> None:
    _, address, line = start()
    assert address.startswith("http://127.0.0.1:")
    assert "no token: loopback only" in line
    assert "imagemill tokens create NAME --scope read" in line
    answer = httpx.get(f"{address}/api/v1/jobs", trust_env=False)
    assert answer.json() == {"jobs": [], "next_cursor": None}
    assert "server" not in answer.headers
    page = httpx.get(address, headers={"Accept": "text/html"}, trust_env=False)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_without_a_token_it_is_not_heard_elsewhere(command: Run) -> None:
    for host in ("0.0.0.0", "::"):
        done = command("serve", "--host", host, "--port", "0")
        assert_refused(done, "imagemill tokens create NAME --scope admin")


def test_with_a_token_it_is_heard_elsewhere_by_those_who_have_one(
    start: Start, command: Run
) -> None:
    secret = command("tokens", "create", "laptop", "--scope", "read").stdout.strip()
    _, address, line = start("--host", "0.0.0.0")
    assert "a token is needed" in line
    jobs = f"{address.replace('0.0.0.0', '127.0.0.1')}/api/v1/jobs"
    assert httpx.get(jobs, trust_env=False).status_code == 401
    bearer = {"Authorization": f"Bearer {secret}", "Host": "mill.example"}
    assert httpx.get(jobs, headers=bearer, trust_env=False).status_code == 200


def test_a_place_that_is_taken_is_told_of(command: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("serve", "--port", str(port))
    assert_refused(done, f"it cannot listen on 127.0.0.1 port {port} (Address already in use)")
    assert_refused(command("serve", "--host", "no such host"), "choose another --host")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_at_once_with_open_streams(
    start: Start,
    waiting_job: object,
    number: signal.Signals,
    code: int,
) -> None:
    process, address, _ = start()
    path = f"{address}/api/v1/jobs/my%20job/watch?note={_SECRET}"
    with httpx.stream("GET", path, timeout=30, trust_env=False) as answer:
        lines = answer.iter_lines()
        assert any(line.startswith("data: ") for line in lines)
        told = time.monotonic()
        process.send_signal(number)
        assert not any(line == "event: end" for line in lines)
        out, said = process.communicate(timeout=30)
    assert time.monotonic() - told < 5
    assert (process.returncode, out, said) == (code, "", "")


def test_no_secret_of_a_request_is_logged(start: Start) -> None:
    process, address, _ = start()
    headers = {"Authorization": f"Bearer im_{_SECRET}"}
    for path in ("/", "/nothing", "/api/v1/predictions", "/api/v1/predictions?min_score=x"):
        joined = f"{address}{path}{'&' if '?' in path else '?'}uri={_SECRET}"
        httpx.get(joined, headers=headers, trust_env=False)
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=30)
    assert _SECRET not in out + said
