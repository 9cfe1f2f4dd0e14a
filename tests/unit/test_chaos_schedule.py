"""What the storm plans from a seed, and what it reads out of logs."""

from __future__ import annotations

import json
from pathlib import Path

from storm.logbook import Logbook
from storm.schedule import FAULTS, draw_schedule


def test_a_seed_gives_the_same_faults_at_the_same_times() -> None:
    assert draw_schedule([1], 300, 4) == draw_schedule([1], 300, 4)
    assert draw_schedule([1], 300, 4) != draw_schedule([2], 300, 4)


def test_every_fault_comes_once_before_any_comes_again() -> None:
    steps = draw_schedule([3], 300, 4)
    first = [step.fault for step in steps[: len(FAULTS)]]
    assert sorted(first) == sorted(FAULTS)
    assert {step.fault for step in draw_schedule([3], 300, 4, ["broker-flush"])} == {"broker-flush"}


def test_of_two_seeds_each_has_its_half() -> None:
    halves = draw_schedule([5, 6], 100, 4)
    alone = draw_schedule([6], 50, 4)
    assert [s.at_s for s in halves if s.at_s > 50] == [round(s.at_s + 50, 2) for s in alone]
    assert [s.fault for s in halves if s.at_s > 50] == [s.fault for s in alone]


def read(folder: Path, *lines: str) -> Logbook:
    (folder / "worker.log").write_text("\n".join(lines))
    logbook = Logbook()
    logbook.read([folder / "worker.log"])
    return logbook


def line(logger: str, error: str) -> str:
    traceback = f'Traceback (most recent call last):\n  File "x"\n{error}'
    told = {"level": "ERROR", "logger": logger, "message": "chunk 3 failed", "traceback": traceback}
    return json.dumps(told)


def test_a_traceback_in_a_log_is_a_finding(tmp_path: Path) -> None:
    logbook = read(tmp_path, line("workers.worker", "AssertionError: 7"), "Traceback (most recent")
    assert len(logbook.findings()) == 2
    assert (
        "worker.log tells of a bug: ERROR workers.worker: chunk # failed: AssertionError: #"
        in (logbook.findings()[0])
    )


def test_an_acknowledgement_that_broke_off_is_none(tmp_path: Path) -> None:
    gone = "redis.exceptions.ConnectionError: Connection closed by server."
    assert read(tmp_path, line("celery.worker.request", gone)).findings() == []
    assert read(tmp_path, line("workers.worker", gone)).findings() != []


def test_lines_of_one_kind_are_counted_together(tmp_path: Path) -> None:
    told = [json.dumps({"level": "INFO", "logger": "a", "message": f"sent {n}"}) for n in (1, 22)]
    assert read(tmp_path, *told).lines == {"INFO a: sent #": 2}
