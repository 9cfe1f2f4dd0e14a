"""A job is watched, cancelled, resumed, retried and deleted by its age, as a user types it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from command import COMMAND, Done, Run
from redis import Redis
from waiting import wait_for

from pipeline import ledger, tables
from pipeline.database.database import Database, open_database
from pipeline.records import Outcome, Provenance, Score

NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """A fresh database, for this test alone."""
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def command(imagemill: Run, sqlite_url: str) -> Run:
    """The command on that database, without a broker."""
    return partial(imagemill, IMAGEMILL_DATABASE_URL=sqlite_url, IMAGEMILL_BROKER_URL=NO_BROKER)


@pytest.fixture
def waiting(database: Database, submit_small: Callable[..., Any]) -> Any:
    """A job of ten images in chunks of four that nobody has begun."""
    return submit_small(database, name="my job")


def change_jobs(database: Database, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(sa.update(tables.jobs).values(values))


def work_off(database: Database, job: Any) -> None:
    while claim := ledger.claim_next(database, job.id, "test", 60):
        outcomes = [Outcome(n, (Score(1, 0.9),)) for n in range(claim.first, claim.last + 1)]
        ledger.finish(database, claim, job.model, outcomes, Provenance())
    ledger.complete(database, job.id)


def show(command: Run, job: str = "my job") -> Any:
    return json.loads(command("jobs", "show", job, "--json").stdout)


def assert_sentence(done: Done, sentence: str) -> None:
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("imagemill: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


# ---------------------------------------------------------------- cancel, resume, retry
@pytest.mark.usefixtures("waiting")
def test_a_job_is_cancelled_and_resumed(command: Run) -> None:
    done = command("jobs", "cancel", "my job")
    assert (done.returncode, done.stdout) == (0, "")
    assert "cancelled my job: 10 images of it will not be classified" in done.stderr
    assert "imagemill jobs resume 'my job'" in done.stderr
    assert show(command)["status"] == "cancelled"
    assert show(command)["counts"]["cancelled"] == 10
    assert_sentence(command("jobs", "cancel", "my job"), "is cancelled, so there is nothing")
    assert_sentence(command("jobs", "retry", "my job"), "`imagemill jobs resume 'my job'` before")
    done = command("jobs", "resume", "my job")
    assert (done.returncode, done.stdout) == (0, "")
    assert "resumed my job: 10 images of it will be classified" in done.stderr
    assert "to go on, the command that made it: imagemill run" in done.stderr
    assert show(command)["counts"]["pending"] == 10
    assert_sentence(command("jobs", "resume", "my job"), "is running, so there is nothing")


def test_a_failure_whose_cause_is_mended_is_run_again(
    command: Run, tmp_path: Path, pictures: Path
) -> None:
    picture = sorted(pictures.glob("*.jpg"))[0]
    late = tmp_path / "late.jpg"
    (tmp_path / "list.txt").write_text(f"{picture}\n{late}\n")
    made = command("run", tmp_path / "list.txt", "--weights", "demo", "--name", "a list")
    assert made.returncode == 0, made.stderr
    assert show(command, "a list")["failures"] == {"not_found": 1}
    none = command("jobs", "retry", "a list", "--code", "timeout,http_5xx", "--code", "dns_error")
    assert none.returncode == 0
    assert "no image of a list failed like that" in none.stderr
    late.write_bytes(picture.read_bytes())
    done = command("jobs", "retry", "a list", "--code", "not_found, timeout")
    assert "1 image of a list will run again" in done.stderr
    assert show(command, "a list")["status"] == "running"
    line = done.stderr.partition("the command that made it: ")[2]
    words = shlex.split(line)
    assert words[:2] == ["imagemill", "run"]
    again = command(*words[1:], "--json")
    assert again.returncode == 0, again.stderr
    job = json.loads(again.stdout)
    assert (job["status"], job["counts"]["succeeded"], job["failures"]) == ("completed", 2, {})


@pytest.mark.usefixtures("waiting")
def test_an_unknown_code_is_refused_with_those_that_exist(command: Run) -> None:
    done = command("jobs", "retry", "my job", "--code", "timeout,oops")
    assert_sentence(done, "no failure has the code 'oops'; one of: invalid_reference, not_found")


@pytest.mark.parametrize("action", ["cancel", "resume", "retry", "watch"])
def test_a_job_that_is_not_there_is_told_so(command: Run, tmp_path: Path, action: str) -> None:
    assert_sentence(command("jobs", action, "nobody"), "no job 'nobody'")
    absent = f"sqlite:///{tmp_path / 'absent.db'}"
    done = command("jobs", action, "nobody", "--database-url", absent)
    assert_sentence(done, "there is no database at")
    assert not (tmp_path / "absent.db").exists()


def test_a_run_of_a_cancelled_job_says_how_to_go_on(
    command: Run, database: Database, tmp_path: Path, pictures: Path
) -> None:
    words = ("run", sorted(pictures.glob("*.jpg"))[0], "--weights", "demo", "--name", "one")
    assert command(*words).returncode == 0
    change_jobs(database, status="cancelled")
    refused = command(*words)
    assert refused.returncode == 2
    assert "is cancelled; let it go on with `imagemill jobs resume one`" in refused.stderr


def test_a_resumed_job_of_the_workers_is_sent(
    command: Run, database: Database, waiting: Any, redis_url: str
) -> None:
    change_jobs(database, dispatch="broker")
    command("jobs", "cancel", "my job")
    done = command("jobs", "resume", "my job", "--broker-url", redis_url)
    assert done.returncode == 0, done.stderr
    assert "to watch it: imagemill jobs watch 'my job'" in done.stderr
    with Redis.from_url(redis_url) as client:
        assert client.llen("imagemill.bulk") == 3


@pytest.mark.usefixtures("waiting")
def test_a_broker_that_is_away_loses_nothing(command: Run, database: Database) -> None:
    change_jobs(database, dispatch="broker")
    command("jobs", "cancel", "my job")
    done = command("jobs", "resume", "my job")
    assert done.returncode == 0
    assert "my job is stored, and a worker sends it when the broker is back: " in done.stderr
    assert "Traceback" not in done.stderr
    assert show(command)["counts"]["pending"] == 10
    with database.reading() as connection:
        assert set(connection.scalars(sa.select(tables.chunks.c.sent_at))) == {None}


# ---------------------------------------------------------------- watch
@pytest.fixture
def watcher(environment: dict[str, str], sqlite_url: str) -> Iterator[subprocess.Popen[str]]:
    """A live `jobs watch --json` of the job, in its own group."""
    process = subprocess.Popen(
        [COMMAND, "jobs", "watch", "my job", "--json"],
        env=environment | {"IMAGEMILL_DATABASE_URL": sqlite_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def test_a_job_is_watched_until_it_ends(
    database: Database, waiting: Any, watcher: subprocess.Popen[str]
) -> None:
    assert read_line(watcher).startswith("0/10 images")
    change_jobs(database, notice="worker w: the folder /pictures is missing")
    assert read_line(watcher) == "worker w: the folder /pictures is missing\n"
    work_off(database, waiting)
    out, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 0
    job = json.loads(out)
    assert (job["status"], job["counts"]["succeeded"]) == ("completed", 10)
    assert job["labels"] == {"label 1": 10}
    assert "10/10 images" in said


@pytest.mark.usefixtures("waiting")
def test_ctrl_c_ends_the_watching_and_not_the_job(
    command: Run, watcher: subprocess.Popen[str]
) -> None:
    read_line(watcher)
    watcher.send_signal(signal.SIGINT)
    out, said = watcher.communicate(timeout=30)
    assert (watcher.returncode, out) == (130, "")
    assert "the job goes on; to watch it again: imagemill jobs watch 'my job'" in said
    assert show(command)["status"] == "pending"


def test_a_watched_job_that_is_cancelled_ends_with_1(
    database: Database, waiting: Any, watcher: subprocess.Popen[str]
) -> None:
    read_line(watcher)
    ledger.cancel(database, waiting.id)
    wait_for(lambda: watcher.poll() is not None, 30, "the watcher's end")
    assert watcher.returncode == 1


def test_a_job_that_has_ended_is_shown_at_once(
    command: Run, database: Database, waiting: Any
) -> None:
    work_off(database, waiting)
    done = command("jobs", "watch", "my job")
    assert done.returncode == 0
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (shown["status"], shown["images"]) == ("completed", "10: 10 classified, 0 failed")
    assert "images," not in done.stderr
    change_jobs(database, status="failed", reason="too many")
    done = command("jobs", "watch", "my job")
    assert done.returncode == 1
    assert "failed: too many" in done.stdout


# ---------------------------------------------------------------- delete
def test_old_jobs_are_deleted_and_no_others(
    command: Run, database: Database, submit_small: Callable[..., Any]
) -> None:
    old, running = (submit_small(database, name=name) for name in ("old", "running"))
    work_off(database, old)
    ledger.claim_next(database, running.id, "test", 60)
    none = command("jobs", "delete", "--older-than", "1h")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no job ended more than 1h ago" in none.stderr
    assert_sentence(
        command("jobs", "delete", "--older-than", "0h"),
        "`imagemill jobs delete --older-than 0h --yes`",
    )
    done = command("jobs", "delete", "--older-than", "0h", "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "deleted old (10 images)\n"
    (left,) = json.loads(command("jobs", "list", "--json").stdout)
    assert left["name"] == "running"


@pytest.mark.parametrize("age", ["30", "d", "30m", "-1d", "1.5d", "999999d"])
def test_an_age_that_is_none_is_refused(command: Run, age: str) -> None:
    done = command("jobs", "delete", f"--older-than={age}", "--yes")
    assert_sentence(done, f"--older-than takes hours, days or weeks (12h, 30d, 2w), not '{age}'")


@pytest.mark.parametrize("words", [[], ["my job", "--older-than", "2w"]])
def test_a_deletion_needs_a_job_or_an_age(command: Run, words: list[str]) -> None:
    assert_sentence(command("jobs", "delete", *words, "--yes"), "name one JOB to delete, or give")
