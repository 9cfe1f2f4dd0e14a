"""The metrics of a worker, as a scrape reads them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.records import Failure, FailureCode, Outcome, Priority, Provenance, Score
from workers.watch.metrics import ChunkEnd, Metrics, Refusal
from workers.watch.vitals import Problem


class Scrape:
    """What one reading of the metrics shows."""

    def __init__(self, metrics: Metrics) -> None:
        self.families = list(text_string_to_metric_families(metrics.text().decode()))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        found = [
            s.value for s in self.samples if s.name == f"imagemill_{name}" and s.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else None


def classified(count: int) -> list[Outcome]:
    return [Outcome(index, (Score(1, 0.9),)) for index in range(count)]


def failed(code: FailureCode) -> Outcome:
    return Outcome(0, failure=Failure(code, "a reason"))


def test_images_are_counted_by_outcome_and_code() -> None:
    metrics = Metrics()
    gone = [failed(FailureCode.NOT_FOUND), failed(FailureCode.NOT_FOUND)]
    metrics.observe_chunk(classified(3) + gone, Provenance(), 0)
    metrics.observe_chunk([failed(FailureCode.TIMEOUT)], Provenance(), 0)
    seen = Scrape(metrics)
    assert seen.value("images_total", outcome="classified", code="") == 3
    assert seen.value("images_total", outcome="failed", code="not_found") == 2
    assert seen.value("images_total", outcome="failed", code="timeout") == 1


def test_the_time_of_each_stage_adds_up_in_seconds() -> None:
    metrics = Metrics()
    made = Provenance((2,), 0, read_ms=100, decode_ms=2000, forward_ms=3000)
    metrics.observe_chunk(classified(2), made, store_ms=40)
    metrics.observe_chunk(classified(2), made, store_ms=50)
    seen = Scrape(metrics)
    stages = ("read", "decode", "forward", "store")
    seconds = [seen.value("stage_seconds_total", stage=stage) for stage in stages]
    assert seconds == pytest.approx([0.2, 4, 6, 0.09])


def test_batches_and_waits_are_spread_over_classes() -> None:
    metrics = Metrics()
    metrics.observe_chunk(classified(1), Provenance((1, 16, 600), queue_wait_ms=20), 0)
    seen = Scrape(metrics)
    at_most = [seen.value("batch_size_bucket", le=f"{n}.0") for n in (1, 8, 16, 512)]
    assert at_most == [1, 1, 2, 2]
    assert seen.value("batch_size_bucket", le="+Inf") == 3
    assert seen.value("batch_size_sum") == 617
    assert seen.value("queue_wait_seconds_sum") == pytest.approx(0.02)


def test_a_chunk_that_never_saw_the_model_has_not_waited() -> None:
    metrics = Metrics()
    metrics.observe_chunk([failed(FailureCode.NOT_FOUND)], Provenance(), 1)
    assert Scrape(metrics).value("queue_wait_seconds_count") == 0


def test_what_is_in_flight_is_known_while_it_is() -> None:
    metrics = Metrics()
    with metrics.in_flight(256), metrics.in_flight(10):
        seen = Scrape(metrics)
        assert seen.value("images_in_flight") == 266
        assert seen.value("chunks_in_flight") == 2
    with suppress(KeyError), metrics.in_flight(5):
        raise KeyError
    assert Scrape(metrics).value("images_in_flight") == 0
    assert Scrape(metrics).value("chunks_in_flight") == 0


def test_ends_refusals_and_lost_leases_are_counted() -> None:
    metrics = Metrics()
    metrics.chunk_ended(ChunkEnd.DONE)
    metrics.chunk_ended(ChunkEnd.DONE)
    metrics.chunk_ended(ChunkEnd.FENCED)
    metrics.message_refused(Refusal.UNREADABLE)
    metrics.lease_lost(2)
    seen = Scrape(metrics)
    assert seen.value("chunks_total", result="done") == 2
    assert seen.value("chunks_total", result="fenced") == 1
    assert seen.value("messages_refused_total", reason="unreadable") == 1
    assert seen.value("leases_lost_total") == 2


def test_a_sweep_is_counted_and_who_it_condemned_has_failed() -> None:
    metrics = Metrics()
    metrics.swept(lost=4, resent=3, split=2, condemned=1)
    metrics.swept(lost=1)
    seen = Scrape(metrics)
    assert seen.value("chunks_lost_total") == 5
    assert seen.value("chunks_resent_total") == 3
    assert seen.value("chunks_split_total") == 2
    assert seen.value("images_total", outcome="failed", code="worker_crashed") == 1


def test_a_backlog_is_unknown_until_somebody_looked() -> None:
    metrics = Metrics()
    assert Scrape(metrics).value("backlog", queue="bulk") is None
    metrics.set_backlog(Priority.BULK, 7)
    metrics.set_backlog(Priority.HIGH, 0)
    metrics.set_backlog(Priority.BULK, 5)
    seen = Scrape(metrics)
    assert (seen.value("backlog", queue="bulk"), seen.value("backlog", queue="high")) == (5, 0)


def test_problems_are_asked_for_at_each_reading() -> None:
    problems = {Problem.BROKER: "the broker is away"}
    metrics = Metrics(lambda: problems)
    assert Scrape(metrics).value("worker_problem", problem="broker") == 1
    assert Scrape(metrics).value("worker_problem", problem="database") == 0
    problems.clear()
    assert Scrape(metrics).value("worker_problem", problem="broker") == 0


def test_the_worker_says_what_computes() -> None:
    metrics = Metrics()
    metrics.describe("cpu", "torch", "0.1.0")
    metrics.describe("cuda:0", "torch", "0.1.0")
    labels = {"device": "cuda:0", "engine": "torch", "version": "0.1.0"}
    assert [s.labels for s in Scrape(metrics).samples if s.name == "imagemill_worker_info"] == [
        labels
    ]


def test_every_series_is_there_at_zero_before_anything_happens() -> None:
    seen = Scrape(Metrics())
    assert seen.value("images_total", outcome="classified", code="") == 0
    for code in FailureCode:
        assert seen.value("images_total", outcome="failed", code=code) == 0
    for end in ChunkEnd:
        assert seen.value("chunks_total", result=end) == 0
    for name in ("chunks_lost_total", "chunks_resent_total", "leases_lost_total"):
        assert seen.value(name) == 0


def test_every_metric_has_its_prefix_and_says_what_it_is() -> None:
    for family in Scrape(Metrics()).families:
        assert family.name.startswith(("imagemill_", "process_"))
        assert family.documentation.endswith(".")
        assert not family.name.endswith("_created")


def test_the_series_stay_few_however_much_is_done() -> None:
    metrics = Metrics()
    before = len(Scrape(metrics).samples)
    for size in range(1, 300):
        metrics.observe_chunk(classified(2), Provenance((size,), size, size, size, size), size)
    assert len(Scrape(metrics).samples) == before < 150


def test_two_workers_of_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.lease_lost()
    assert Scrape(other).value("leases_lost_total") == 0
