"""`submit` and `worker` as typed: with Redis and PostgreSQL, and without a broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_command import WorkerProcess, running_worker
from command import COMMAND, Done, Run
from postgres_server import PostgresServer
from redis import Redis
from waiting import wait_for

_CELERY = str(Path(sys.executable).with_name("celery"))


@pytest.fixture(scope="module")
def cluster(
    environment: dict[str, str], redis_server: object, postgres_folder: Path
) -> Iterator[dict[str, str]]:
    """The addresses of a cluster's database and broker, as every command of it needs them."""
    from postgres_server import copy_folder

    url = redis_server.url_at(redis_server.port, 60)  # type: ignore[attr-defined]
    with Redis.from_url(url) as client:
        client.flushdb()
    with PostgresServer(copy_folder(postgres_folder)) as server:
        yield environment | {"IMAGEMILL_DATABASE_URL": server.url, "IMAGEMILL_BROKER_URL": url}


@pytest.fixture(scope="module")
def worker(cluster: dict[str, str], folder: Path) -> Iterator[WorkerProcess]:
    """A worker of the real engine on the CPU."""
    command = [COMMAND, "worker", "--device", "cpu", "--metrics-port", "0", "--log-format", "json"]
    with running_worker(command, cluster, folder) as running:
        yield running


@pytest.fixture
def in_cluster(imagemill: Run, cluster: dict[str, str]) -> Run:
    """The command with the cluster's addresses."""
    addresses = {k: v for k, v in cluster.items() if k.startswith("IMAGEMILL_")}

    def run(*words: str | Path, **changed: str) -> Done:
        return imagemill(*words, **(addresses | changed))

    return run


def test_a_submitted_job_is_done_by_the_worker_as_run_does_it(
    in_cluster: Run, worker: WorkerProcess, pictures: Path
) -> None:
    words = ("--weights", "demo", "--chunk-size", "8", "--json")
    done = in_cluster("submit", pictures, "--name", "shapes", *words)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["status"], job["dispatch"]) == ("completed", "broker")
    assert job["counts"] == {
        "total": 35, "succeeded": 30, "failed": 5, "pending": 0, "cancelled": 0
    }  # fmt: skip
    again = in_cluster("submit", pictures, "--name", "shapes", *words)
    assert json.loads(again.stdout)["id"] == job["id"]
    other = in_cluster("submit", pictures, "--name", "shapes", "--weights", "demo", "--top-k", "3")
    assert other.returncode == 2
    assert "keeps 5 predictions" in other.stderr
    local = in_cluster("run", pictures, "--name", "local", *words)
    assert json.loads(local.stdout)["labels"] == job["labels"]
    assert json.loads(local.stdout)["failures"] == job["failures"]


def test_no_wait_prints_the_id_alone_and_watch_sees_the_end(
    in_cluster: Run, worker: WorkerProcess, pictures: Path
) -> None:
    done = in_cluster("submit", pictures, "--weights", "demo", "--no-wait", "--priority", "high")
    assert done.returncode == 0, done.stderr
    job_id = done.stdout.strip()
    assert (job_id[0], len(job_id)) == ("j", 11)
    watched = in_cluster("jobs", "watch", job_id, "--json")
    assert watched.returncode == 0, watched.stderr
    assert json.loads(watched.stdout)["status"] == "completed"


def test_a_workers_log_is_one_json_object_a_line_with_job_chunk_and_attempt(
    worker: WorkerProcess,
) -> None:
    lines = [line for line in worker.said().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    done = [event for event in events if event["message"] == "chunk done"]
    assert done
    assert {"job", "chunk", "attempt", "images", "failed"} <= done[0].keys()


def test_a_job_without_a_broker_is_stored_and_sent_by_a_worker_that_has_one(
    in_cluster: Run, worker: WorkerProcess, pictures: Path
) -> None:
    nowhere = {"IMAGEMILL_BROKER_URL": "redis://:geheim@127.0.0.1:1/0"}
    done = in_cluster("submit", pictures, "--weights", "demo", "--no-wait", **nowhere)
    assert done.returncode == 0, done.stderr
    assert "is stored, and is sent when the broker is back" in done.stderr
    assert "geheim" not in done.stderr + done.stdout
    watched = in_cluster("jobs", "watch", done.stdout.strip(), "--json")
    assert json.loads(watched.stdout)["counts"]["succeeded"] == 30


def test_ctrl_c_ends_the_waiting_and_not_the_job(
    cluster: dict[str, str], folder: Path, pictures: Path, in_cluster: Run
) -> None:
    nobody = cluster["IMAGEMILL_BROKER_URL"].rpartition("/")[0] + "/61"
    process = subprocess.Popen(
        [COMMAND, "submit", str(pictures), "--weights", "demo", "--name", "left"],
        env=cluster | {"IMAGEMILL_BROKER_URL": nobody},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(
        lambda: '"pending": 35' in in_cluster("jobs", "show", "left", "--json").stdout, 60, "it"
    )
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "imagemill jobs watch left" in said
    assert in_cluster("jobs", "cancel", "left").returncode == 0


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"IMAGEMILL_BROKER_URL": "redis://:geheim@127.0.0.1:1/0"}, "IMAGEMILL_BROKER_URL"),
        ({"IMAGEMILL_BROKER_URL": "amqp://geheim@host"}, "a broker is redis://"),
        ({"IMAGEMILL_DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"}, "cannot be reached"),
    ],
)
def test_a_worker_without_its_services_ends_in_one_sentence(
    in_cluster: Run, address: dict[str, str], sentence: str
) -> None:
    done = in_cluster("worker", "--device", "cpu", **address)
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert "geheim" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_plain_celery_works_flower_shows_it_and_a_stop_ends_with_0(
    cluster: dict[str, str], folder: Path, worker: WorkerProcess, pictures: Path, in_cluster: Run
) -> None:
    assert worker.stop() == 0, worker.said()
    port = str(20_000 + os.getpid() % 10_000)
    flower = subprocess.Popen(
        [_CELERY, "-A", "workers.app", "flower", f"--port={port}", "--address=127.0.0.1"],
        env=cluster | {"FLOWER_UNAUTHENTICATED_API": "true"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _ask(port, "workers") is not None, 60, "flower")
        command = [_CELERY, "-A", "workers.app", "worker", "--pool", "threads", "-c", "2"]
        with running_worker(command, cluster, folder) as plain:
            done = in_cluster("submit", pictures, "--weights", "demo", "--chunk-size", "16")
            assert done.returncode == 0, done.stderr
            tasks = wait_for(lambda: _succeeded(port), 60, "the tasks in flower")
            assert all(task["name"] == "imagemill.chunk" for task in tasks.values())
            assert all("job" in task["args"] for task in tasks.values())
            assert plain.stop() == 0, plain.said()
    finally:
        flower.kill()
        flower.wait()


def _ask(port: str, what: str) -> dict[str, dict[str, str]] | None:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(f"http://127.0.0.1:{port}/api/{what}", timeout=5) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
            return found
    except (URLError, OSError):
        return None


def _succeeded(port: str) -> dict[str, dict[str, str]]:
    tasks = _ask(port, "tasks") or {}
    done = {key: task for key, task in tasks.items() if task["state"] == "SUCCESS"}
    return done if len(done) >= 3 else {}
