"""Jobs as the command shows and deletes them, for people and for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from command import Done, Run

from pipeline.database.database import open_database
from pipeline.locks import hold_run
from pipeline.queries.jobs import find_job
from pipeline.storage.deletion import delete_job

pytestmark = pytest.mark.usefixtures("finished")


def read_json(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def unfinished(environment: dict[str, str], submit_small: Callable[..., object]) -> Iterator[str]:
    """The name of a job of ten images that nobody has begun; it is gone after the test."""
    database = open_database(environment["IMAGEMILL_DATABASE_URL"])
    try:
        submit_small(database, name="waiting")
        yield "waiting"
        with database.reading() as connection:
            left = find_job(connection, "waiting")
        if left:
            delete_job(database, left.id)
    finally:
        database.close()


def test_jobs_list_shows_the_job(imagemill: Run) -> None:
    heading, *rows = imagemill("jobs", "list").stdout.splitlines()
    assert heading.split()[:6] == ["job", "status", "total", "succeeded", "failed", "pending"]
    row = next(row.split() for row in rows if row.startswith("shapes "))
    assert row[1:6] == ["completed", "35", "30", "5", "0"]


def test_jobs_list_in_json_is_an_array(imagemill: Run) -> None:
    jobs = read_json(imagemill("jobs", "list", "--json"))
    job = next(job for job in jobs if job["name"] == "shapes")
    assert job["status"] == "completed"
    assert job["model"]["name"] == "demo"


def test_older_jobs_are_told_of(imagemill: Run, unfinished: str) -> None:
    assert "older job" not in imagemill("jobs", "list").stderr
    done = imagemill("jobs", "list", "--limit", "1")
    assert done.stdout.count("\n") == 2
    assert "older job" in done.stderr


def test_a_job_is_shown_by_name_and_by_id(imagemill: Run) -> None:
    by_name = read_json(imagemill("jobs", "show", "shapes", "--json"))
    assert read_json(imagemill("jobs", "show", by_name["id"], "--json")) == by_name
    assert by_name["status"] == "completed"
    assert by_name["counts"] == {
        "total": 35, "succeeded": 30, "failed": 5, "pending": 0, "cancelled": 0,
    }  # fmt: skip
    assert sum(by_name["failures"].values()) == 5
    assert sum(by_name["labels"].values()) == 30
    assert by_name["options"]["weights"]


def test_a_job_reads_well_for_a_person(imagemill: Run) -> None:
    shown = dict(
        line.split(maxsplit=1) for line in imagemill("jobs", "show", "shapes").stdout.splitlines()
    )
    assert shown["images"] == "35: 30 classified, 5 failed"
    assert shown["status"] == "completed"
    assert {"failures", "labels", "model", "options", "created", "finished"} <= set(shown)


def test_chunks_tell_how_they_were_made(imagemill: Run) -> None:
    job = read_json(imagemill("jobs", "show", "shapes", "--chunks", "--json"))
    assert [chunk["number"] for chunk in job["chunks"]] == [0, 1, 2, 3, 4]
    for chunk in job["chunks"]:
        assert chunk["state"] == "done"
        assert sum(chunk["batch_sizes"]) >= chunk["succeeded"]
        assert chunk["engine"]
    table = imagemill("jobs", "show", "shapes", "--chunks").stdout
    assert "decode ms" in table


def test_a_job_is_deleted_only_when_told_so(imagemill: Run, unfinished: str) -> None:
    refused = imagemill("jobs", "delete", unfinished)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert imagemill("jobs", "show", unfinished).returncode == 0
    done = imagemill("jobs", "delete", unfinished, "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert imagemill("jobs", "show", unfinished).returncode == 2


def test_a_job_that_is_being_run_is_not_deleted(
    imagemill: Run,
    unfinished: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", environment["XDG_DATA_HOME"])
    with hold_run(environment["IMAGEMILL_DATABASE_URL"], unfinished):
        refused = imagemill("jobs", "delete", unfinished, "--yes")
    assert refused.returncode == 2
    assert f"is being run by process {os.getpid()}" in refused.stderr
    assert imagemill("jobs", "show", unfinished).returncode == 0


def test_a_job_that_waits_shows_what_is_pending(imagemill: Run, unfinished: str) -> None:
    job = read_json(imagemill("jobs", "show", unfinished, "--json"))
    assert job["status"] == "pending"
    assert job["counts"]["pending"] == 10
    assert job["images_per_s"] is None
    assert "10: 0 classified, 0 failed, 10 pending" in imagemill("jobs", "show", unfinished).stdout
