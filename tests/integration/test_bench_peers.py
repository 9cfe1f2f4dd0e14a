"""Peers in real processes: one that answers, one that fails, one that hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from waiting import wait_for

from workers.bench.peers.running import Peer, PeerRates, run_peer
from workers.bench.peers.task import Task
from workers.demo.drawing import write_pictures
from workers.weights import DEMO


@pytest.fixture
def task(tmp_path: Path) -> Task:
    pictures = [str(path) for path in write_pictures(tmp_path, count=6, seed=9)]
    return Task(pictures, str(DEMO), "cpu", 1)


@pytest.mark.parametrize("name", ["source_loop", "plain_loader"])
def test_a_loop_answers_with_its_rate(task: Task, name: str) -> None:
    rate = run_peer(Peer("a loop", f"workers.bench.peers.{name}"), task)
    assert isinstance(rate, float)
    assert rate > 0


def test_a_peer_whose_package_is_absent_is_not_started(task: Task) -> None:
    assert "not installed" in str(run_peer(Peer("nobody's", "nothing", "no_such_package"), task))


def test_a_peer_that_fails_says_why(task: Task) -> None:
    broken = Task(task.pictures, "/no/such.safetensors", task.device, task.cores)
    reason = run_peer(Peer("a loop", "workers.bench.peers.source_loop"), broken)
    assert str(reason).startswith("failed: ")
    assert "/no/such.safetensors" in str(reason)


def test_a_peer_that_failed_keeps_its_reason_and_is_not_tried_again(task: Task) -> None:
    peers = PeerRates()
    peers.measure(Peer("it fails", "workers.bench.no_such_module"), task)
    peers.measure(Peer("it fails", "workers.bench.peers.source_loop"), task)
    assert "no_such_module" in peers.reasons["it fails"]
    assert peers.rates["it fails"] == []


def test_a_peer_that_hangs_ends_with_all_that_it_started(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    note = tmp_path / "pid"
    told = Task(task.pictures, str(note), task.device, task.cores)
    assert run_peer(Peer("it hangs", "hanging_peer"), told, timeout_s=2) == "gave up after 2 s"
    pid = int(note.read_text())
    wait_for(lambda: not _is_alive(pid), 5, "the end of what the peer started")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
