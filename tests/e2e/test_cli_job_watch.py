"""A job is watched until it ends, and deleted by its age, as a user types it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from command import COMMAND, Run, assert_refused
from job_books import carry_all
from waiting import wait_for

from pipeline import ledger, tables
from pipeline.database.database import Database

if TYPE_CHECKING:
    from conftest import SmallJob


def change_jobs(database: Database, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(sa.update(tables.jobs).values(values))


def show(command: Run, job: str = "my job") -> Any:
    return json.loads(command("jobs", "show", job, "--json").stdout)


@pytest.fixture
def watcher(
    environment: dict[str, str], sqlite_url: str, waiting_job: SmallJob
) -> Iterator[subprocess.Popen[str]]:
    """A live `jobs watch --json` of the waiting job, in its own group."""
    process = subprocess.Popen(
        [COMMAND, "jobs", "watch", waiting_job.spec.name or "", "--json"],
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
    own_database: Database, waiting_job: SmallJob, watcher: subprocess.Popen[str]
) -> None:
    assert read_line(watcher).startswith("0/10 images")
    change_jobs(own_database, notice="worker w: the folder /pictures is missing")
    assert read_line(watcher) == "worker w: the folder /pictures is missing\n"
    carry_all(own_database, waiting_job)
    out, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 0
    job = json.loads(out)
    assert (job["status"], job["counts"]["succeeded"]) == ("completed", 10)
    assert job["labels"] == {"label 0": 10}
    assert "10/10 images" in said


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
    own_database: Database, waiting_job: SmallJob, watcher: subprocess.Popen[str]
) -> None:
    read_line(watcher)
    ledger.cancel(own_database, waiting_job.id)
    wait_for(lambda: watcher.poll() is not None, 30, "the watcher's end")
    assert watcher.returncode == 1


def test_a_job_that_has_ended_is_shown_at_once(
    command: Run, own_database: Database, waiting_job: SmallJob
) -> None:
    carry_all(own_database, waiting_job)
    done = command("jobs", "watch", "my job")
    assert done.returncode == 0
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (shown["status"], shown["images"]) == ("completed", "10: 10 classified, 0 failed")
    assert "images," not in done.stderr
    change_jobs(own_database, status="failed", reason="too many")
    done = command("jobs", "watch", "my job")
    assert done.returncode == 1
    assert "failed: too many" in done.stdout


# ---------------------------------------------------------------- delete
def test_old_jobs_are_deleted_and_no_others(
    command: Run, own_database: Database, submit_small: Callable[..., SmallJob]
) -> None:
    old, running = (submit_small(own_database, name=name) for name in ("old", "running"))
    carry_all(own_database, old)
    ledger.claim_next(own_database, running.id, "test", 60)
    none = command("jobs", "delete", "--older-than", "1h")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no job ended more than 1h ago" in none.stderr
    assert_refused(
        command("jobs", "delete", "--older-than", "0h"),
        "`imagemill jobs delete --older-than 0h --yes`",
    )
    done = command("jobs", "delete", "--older-than", "0h", "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "deleted old (10 images)\n"
    (left,) = json.loads(command("jobs", "list", "--json").stdout)
    assert left["name"] == "running"


@pytest.mark.parametrize("age", ["30", "1.5d", "999999d"])
def test_an_age_that_is_none_is_refused(command: Run, age: str) -> None:
    done = command("jobs", "delete", f"--older-than={age}", "--yes")
    assert_refused(done, f"--older-than takes hours, days or weeks (12h, 30d, 2w), not '{age}'")


@pytest.mark.parametrize("words", [[], ["my job", "--older-than", "2w"]])
def test_a_deletion_needs_a_job_or_an_age(command: Run, words: list[str]) -> None:
    assert_refused(command("jobs", "delete", *words, "--yes"), "name one JOB to delete, or give")
