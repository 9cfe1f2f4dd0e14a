"""A job is cancelled, resumed and retried, as a user types it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from command import Run, assert_refused
from redis import Redis

from pipeline import ledger, tables
from pipeline.config import load_settings
from pipeline.database.database import Database
from pipeline.producer import submit
from pipeline.queries.rules import find_rules
from pipeline.records import (
    Dispatch,
    Failure,
    FailureCode,
    Outcome,
    Provenance,
    Reference,
    Score,
)
from pipeline.sources import SourceOptions
from workers.specs import make_spec
from workers.weights import find_weights

if TYPE_CHECKING:
    from conftest import SmallJob


def change_jobs(database: Database, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(sa.update(tables.jobs).values(values))


def show(command: Run, job: str = "my job") -> Any:
    return json.loads(command("jobs", "show", job, "--json").stdout)


@pytest.mark.usefixtures("waiting_job")
def test_a_job_is_cancelled_and_resumed(command: Run) -> None:
    done = command("jobs", "cancel", "my job")
    assert (done.returncode, done.stdout) == (0, "")
    assert "cancelled my job: 10 images of it will not be classified" in done.stderr
    assert "imagemill jobs resume 'my job'" in done.stderr
    assert show(command)["status"] == "cancelled"
    assert show(command)["counts"]["cancelled"] == 10
    assert_refused(command("jobs", "cancel", "my job"), "is cancelled, so there is nothing")
    assert_refused(command("jobs", "retry", "my job"), "`imagemill jobs resume 'my job'` before")
    done = command("jobs", "resume", "my job")
    assert (done.returncode, done.stdout) == (0, "")
    assert "resumed my job: 10 images of it will be classified" in done.stderr
    assert "to go on, the command that made it: imagemill run" in done.stderr
    assert show(command)["counts"]["pending"] == 10
    assert_refused(command("jobs", "resume", "my job"), "is running, so there is nothing")


def test_a_failure_whose_cause_is_mended_is_run_again(
    command: Run, own_database: Database, tmp_path: Path, pictures: Path
) -> None:
    picture, late = sorted(pictures.glob("*.jpg"))[0], tmp_path / "late.jpg"
    source = tmp_path / "a list.txt"
    source.write_text(f"{picture}\n{late}\n")
    miss_one(own_database, submit_list(own_database, source, [picture, late]))
    none = command("jobs", "retry", "a list", "--code", "timeout,http_5xx", "--code", "dns_error")
    assert none.returncode == 0
    assert "no image of a list failed like that" in none.stderr
    assert show(command, "a list")["failures"] == {"not_found": 1}
    late.write_bytes(picture.read_bytes())
    done = command("jobs", "retry", "a list", "--code", "not_found, timeout")
    assert "1 image of a list will run again" in done.stderr
    assert show(command, "a list")["status"] == "running"
    words = shlex.split(done.stderr.partition("the command that made it: ")[2])
    assert words[:2] == ["imagemill", "run"]
    again = command(*words[1:], "--json")
    assert again.returncode == 0, again.stderr
    job = json.loads(again.stdout)
    assert (job["status"], job["counts"]["succeeded"], job["failures"]) == ("completed", 2, {})


def submit_list(database: Database, source: Path, paths: list[Path]) -> int:
    """Store what `imagemill run SOURCE --weights demo --top-k 3` would, and return its number."""
    settings = load_settings(weights="demo", top_k=3)
    weights = find_weights("demo", None)
    spec = make_spec(
        settings, weights, (str(source),), SourceOptions(), source.stem, Dispatch.LOCAL
    )
    return submit(database, spec, [Reference(str(path)) for path in paths])


def miss_one(database: Database, job_id: int) -> None:
    """Finish the job: its first image is classified, its second is not found."""
    with database.reading() as connection:
        rules = find_rules(connection, job_id)
    claim = ledger.claim_next(database, job_id, "test", 60)
    assert rules is not None
    assert claim is not None
    failure = Failure(FailureCode.NOT_FOUND, "no such file")
    outcomes = [Outcome(0, (Score(1, 0.9),)), Outcome(1, failure=failure)]
    assert ledger.finish(database, claim, rules.model, outcomes, Provenance())
    assert ledger.complete(database, job_id)


@pytest.mark.usefixtures("waiting_job")
def test_an_unknown_code_is_refused_with_those_that_exist(command: Run) -> None:
    done = command("jobs", "retry", "my job", "--code", "timeout,oops")
    assert_refused(done, "no failure has the code 'oops'; one of: invalid_reference, not_found")


@pytest.mark.parametrize("action", ["cancel", "resume", "retry", "watch"])
def test_a_job_that_is_not_there_is_told_so(command: Run, tmp_path: Path, action: str) -> None:
    assert_refused(command("jobs", action, "nobody"), "no job 'nobody'")
    absent = f"sqlite:///{tmp_path / 'absent.db'}"
    done = command("jobs", action, "nobody", "--database-url", absent)
    assert_refused(done, "there is no database at")
    assert not (tmp_path / "absent.db").exists()


def test_a_resumed_job_of_the_workers_is_sent(
    command: Run, own_database: Database, waiting_job: SmallJob, redis_url: str
) -> None:
    change_jobs(own_database, dispatch="broker")
    command("jobs", "cancel", "my job")
    done = command("jobs", "resume", "my job", "--broker-url", redis_url)
    assert done.returncode == 0, done.stderr
    assert "to watch it: imagemill jobs watch 'my job'" in done.stderr
    with Redis.from_url(redis_url) as client:
        assert client.llen("imagemill.bulk") == 3


@pytest.mark.usefixtures("waiting_job")
def test_a_broker_that_is_away_loses_nothing(command: Run, own_database: Database) -> None:
    change_jobs(own_database, dispatch="broker")
    command("jobs", "cancel", "my job")
    done = command("jobs", "resume", "my job")
    assert done.returncode == 0
    assert "my job is stored, and a worker sends it when the broker is back: " in done.stderr
    assert "Traceback" not in done.stderr
    assert show(command)["counts"]["pending"] == 10
    with own_database.reading() as connection:
        assert set(connection.scalars(sa.select(tables.chunks.c.sent_at))) == {None}
