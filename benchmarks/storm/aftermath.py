"""The aftermath: whether a cluster that was left in peace comes to rest, and leaves nothing."""

from __future__ import annotations

import time

from storm.crew import Crew
from storm.findings import Findings
from storm.options import Options
from storm.processes import count_files, cpu_seconds
from storm.servers import Servers
from waiting import wait_for

#: What must be empty in Redis: the queues, and what was handed out.
_COUNTS = {
    "imagemill.high": "llen",
    "imagemill.bulk": "llen",
    "unacked": "hlen",
    "unacked_index": "zcard",
}
#: How long beyond the visibility time what was handed out may stay in Redis, in seconds.
_MARGIN_S = 30.0
#: How many files more than before the storm a worker may have open.
_FILES = 32
#: How long an idle worker is watched, and the share of a core that it may use.
_IDLE_S, _IDLE_SHARE = 3.0, 0.25


def check_broker(servers: Servers, options: Options, findings: Findings) -> None:
    """Find messages that never left Redis."""
    with servers.redis.client() as client:

        def count() -> dict[str, int]:
            return {key: getattr(client, how)(key) for key, how in _COUNTS.items()}

        try:
            bound_s = options.visibility_s + _MARGIN_S
            wait_for(lambda: not any(count().values()), bound_s, "an empty broker", 0.2)
        except AssertionError:
            findings.add(f"Redis is not empty: {count()}")


def check_workers(crew: Crew, files: int, findings: Findings) -> dict[str, list[float]]:
    """Find idle workers that use the CPU, or more files than the ``files`` of a fresh one."""
    before = {worker: cpu_seconds(worker.pid) for worker in crew.list()}
    time.sleep(_IDLE_S)
    shares = {w: (cpu_seconds(w.pid) - used) / _IDLE_S for w, used in before.items()}
    counts = {worker: count_files(worker.pid) for worker in before}
    for worker in before:
        if shares[worker] > _IDLE_SHARE:
            findings.add(f"worker {worker.number} is idle, and uses {shares[worker]:.0%} of a core")
        if counts[worker] > files + _FILES:
            findings.add(f"worker {worker.number} has {counts[worker]} files open, not {files}")
    return {"files": [*counts.values()], "idle share": [*shares.values()]}
