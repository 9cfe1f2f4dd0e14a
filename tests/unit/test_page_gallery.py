"""What of a job's images is looked at, as addresses have it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.errors import UsageError
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.histograms import ScoreHistogram
from pipeline.queries.orders import Order
from pipeline.records import Counts, Dispatch, Job, JobStatus, Precision, Priority
from pipeline.web.pages.bins import make_bins
from pipeline.web.pages.gallery import Choice
from pipeline.web.pages.progress import find_progress

_COUNTS = Counts(100, 90, 10)
_STARTED = datetime(2026, 11, 28, 14, 0, 0, tzinfo=UTC)
_ENDED = datetime(2026, 11, 28, 14, 0, 50, tzinfo=UTC)


def make_job(status: JobStatus = JobStatus.COMPLETED, counts: Counts = _COUNTS) -> Job:
    ended = None if status is JobStatus.RUNNING else _ENDED
    words: dict[str, Any] = {
        "status": status,
        "dispatch": Dispatch.BROKER,
        "priority": Priority.BULK,
        "precision": Precision.AUTO,
    }
    many: dict[str, Any] = {
        **dict.fromkeys(("public_id", "model_name", "model_sha256", "sources_hash"), "jabc"),
        **dict.fromkeys(("name", "reason", "notice", "max_failure_rate", "scores", "failures")),
        **dict.fromkeys(("created_at", "submitted_at", "started_at"), _STARTED),
        **dict.fromkeys(("id", "model_id", "retries"), 1),
        **dict.fromkeys(("reused", "skipped"), 0),
    }
    return Job(
        **many,
        **words,
        options={},
        histogram={},
        preprocessing="1",
        counts=counts,
        finished_at=ended,
    )


def read(address: str) -> dict[str, str]:
    return {name: found for name, (found,) in parse_qs(urlsplit(address).query).items()}


def test_a_choice_becomes_a_filter_and_what_cannot_be_meant_a_sentence() -> None:
    job = make_job()
    choice = Choice(label="cat", min_score="0.5", max_score="1", uri="/a", custom_id="x")
    assert choice.as_filter(job) == PredictionFilter(
        job="jabc", label="cat", min_score=0.5, max_score=1.0, uri="/a*", custom_id="x"
    )
    assert Choice(outcome="failed").as_filter(job).failed is True
    assert Choice(outcome="classified").as_filter(job).failed is False
    assert Choice(outcome="timeout").as_filter(job).code == "timeout"
    for wrong in (Choice(outcome="lost"), Choice(min_score="much")):
        with pytest.raises(UsageError):
            wrong.as_filter(job)


def test_another_choice_begins_at_the_first_page_and_keeps_the_rest() -> None:
    job = make_job()
    choice = Choice(label="cat", sort="least-certain", cursor="abc", page="3")
    assert choice.number == 3
    assert read(choice.with_scores(job, "0.5", "0.55")) == {
        "label": "cat", "sort": "least-certain", "min_score": "0.5", "max_score": "0.55"
    }  # fmt: skip
    assert read(choice.with_label(job, "cat")) == {"sort": "least-certain"}
    assert read(choice.next(job, "def")) | {"page": ""} == {
        "label": "cat", "sort": "least-certain", "cursor": "def", "page": ""
    }  # fmt: skip
    assert read(choice.cleared(job)) == {"sort": "least-certain"}


def test_an_order_by_score_leaves_out_what_has_none() -> None:
    choice = Choice(outcome="timeout", uri="/a", custom_id="x")
    assert read(choice.with_order(make_job(), Order.MOST_CERTAIN)) == {"sort": "most-certain"}
    assert Choice(sort="by-name").order is Order.INDEX
    assert Choice(page="9" * 20, cursor="a").number == 1


def test_an_export_is_of_what_is_chosen() -> None:
    choice = Choice(label="cat", outcome="classified", sort="least-certain", cursor="abc")
    assert read(choice.export(make_job(), "csv")) == {
        "format": "csv", "job": "jabc", "label": "cat", "failed": "false"
    }  # fmt: skip


def test_every_bin_leads_to_its_scores_and_back_and_what_is_not_empty_is_seen() -> None:
    counts = (1, *[0] * 18, 1_000_000)
    choice = Choice(min_score="0.95", max_score="1")
    bins = make_bins(make_job(), choice, ScoreHistogram(counts, 1_000_001, is_sample=False))
    assert [one.height > 0 for one in bins] == [bool(count) for count in counts]
    assert read(bins[0].href) == {"min_score": "0", "max_score": "0.05"}
    assert bins[-1].chosen
    assert read(bins[-1].href) == {}


def test_progress_is_a_rate_since_the_first_claim_and_the_time_that_is_left() -> None:
    ended = find_progress(make_job())
    assert (ended.done, ended.succeeded, ended.failed) == (100, 90.0, 10.0)
    assert (ended.images_per_s, ended.seconds_left, ended.seconds_taken) == (2.0, None, 50.0)
    running = find_progress(make_job(JobStatus.RUNNING, Counts(100, 40, 10)))
    assert running.images_per_s is not None
    assert running.seconds_left == pytest.approx(50 / running.images_per_s)
    assert running.seconds_taken is None
    fresh = find_progress(make_job(JobStatus.RUNNING, Counts(0)))
    assert (fresh.images_per_s, fresh.seconds_left) == (None, None)
