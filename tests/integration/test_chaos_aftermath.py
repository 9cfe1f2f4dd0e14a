"""What the storm must find of what a cluster leaves behind."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis_server import RedisServer
from storm import aftermath, shm
from storm.findings import Findings
from storm.shm import SharedMemory
from waiting import wait_for


@dataclass(frozen=True)
class Myself:
    """This process in the place of a worker."""

    pid: int = os.getpid()
    number: int = 7


@pytest.mark.parametrize("key", ["imagemill.high", "imagemill.bulk", "unacked", "unacked_index"])
def test_a_message_that_stays_in_redis_is_found(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(aftermath, "_MARGIN_S", 0)
    servers: Any = SimpleNamespace(redis=own_redis)
    options: Any = SimpleNamespace(visibility_s=0.2)
    findings = Findings()
    aftermath.check_broker(servers, options, findings)
    assert findings.list() == []
    with own_redis.client() as client:
        if key == "unacked":
            client.hset(key, "tag", "message")
        elif key == "unacked_index":
            client.zadd(key, {"tag": 1})
        else:
            client.lpush(key, "message")
    aftermath.check_broker(servers, options, findings)
    assert f"'{key}': 1" in findings.list()[0]


def test_a_worker_that_spins_or_holds_many_files_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "_IDLE_S", 0.1)
    crew: Any = SimpleNamespace(list=lambda: [Myself()])
    findings = Findings()
    aftermath.check_workers(crew, 10_000, findings)
    assert findings.list() == []
    monkeypatch.setattr(aftermath, "_IDLE_SHARE", -1)
    aftermath.check_workers(crew, -1000, findings)
    spins, holds = findings.list()
    assert "worker 7 is idle, and uses" in spins
    assert "worker 7 has" in holds


def test_shared_memory_that_nobody_removed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shm, "_LOOK_S", 0.02)
    monkeypatch.setattr(shm, "_OUTLIVE_S", 0.2)
    path = Path(f"/dev/shm/imagemill-test-{os.getpid()}")
    memory, findings = SharedMemory(lambda: [os.getpid()]), Findings()
    memory.start()
    try:
        with path.open("w+b") as file:
            file.truncate(4096)
            with mmap.mmap(file.fileno(), 4096):
                wait_for(lambda: path.name in memory.seen, 10, "a look at our own memory")
        memory.close(findings)
    finally:
        path.unlink()
    assert path.name in findings.list()[0]
