"""The words around a run: how to go on, and which exit code it leaves with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.cli.run.report import exit_code, stop_sentence
from pipeline.records import Counts, Dispatch, Job, JobStatus, Precision, Priority

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(
    1, "jx3k7q2m5ab", "holiday", JobStatus.COMPLETED, None, None, Dispatch.LOCAL,
    Priority.BULK, 3, None, 1,
    "demo", "5a" * 32, Precision.AUTO, "1", {}, "hash", Counts(300, 120, 5), 0, 0,
    {}, None, None, _MOMENT,
    None, None, None,
)  # fmt: skip


def test_a_named_job_goes_on_with_the_same_line() -> None:
    sentence = stop_sentence(JOB, ["run", "a b/", "--name", "holiday"])
    assert sentence == (
        "stopped; 125 of 300 images are saved. To go on: imagemill run 'a b/' --name holiday"
    )


def test_a_job_without_a_name_goes_on_by_its_id() -> None:
    sentence = stop_sentence(replace(JOB, name=None), ["run", "a/"])
    assert sentence.endswith("To go on: imagemill run a/ --name jx3k7q2m5ab")


def test_a_name_given_with_an_equals_sign_is_not_given_twice() -> None:
    sentence = stop_sentence(JOB, ["run", "a/", "--name=holiday"])
    assert sentence.endswith("To go on: imagemill run a/ --name=holiday")


@pytest.mark.parametrize(
    ("status", "failed", "strict", "code"),
    [
        (JobStatus.COMPLETED, 0, False, 0),
        (JobStatus.COMPLETED, 5, False, 0),
        (JobStatus.COMPLETED, 0, True, 0),
        (JobStatus.COMPLETED, 5, True, 1),
        (JobStatus.FAILED, 0, False, 1),
        (JobStatus.CANCELLED, 0, False, 1),
    ],
)
def test_the_exit_code_follows_the_job(
    status: JobStatus, failed: int, strict: bool, code: int
) -> None:
    job = replace(JOB, status=status, counts=Counts(300, 300 - failed, failed))
    assert exit_code(job, strict) == code
