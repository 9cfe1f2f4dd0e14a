"""Runs a peer in a process of its own: whatever becomes of it, the bench goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from workers.bench.peers.task import Task, hear

#: How long a peer may take, in seconds.
TIMEOUT_S = 300.0
#: How often its folder is removed, and how long after another, in seconds.
_TRIES, _PAUSE_S = 20, 0.25
#: Characters of a reason at most.
_LENGTH = 120

#: -P: what lies in the current folder is none of their modules.
_PYTHON = (sys.executable, "-P", "-m")

#: Nothing of a bench is told to anybody, and no bar is drawn over our own lines.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray listens at loopback alone, as it does where it supports no clusters.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer's name for people, its module, and the package that it needs beside ours."""

    name: str
    module: str
    needs: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs can be imported."""
        return self.needs is None or find_spec(self.needs) is not None


PEERS = (
    Peer("the source's loop", "workers.bench.peers.source_loop"),
    Peer("a plain DataLoader loop", "workers.bench.peers.plain_loader"),
    Peer("Ray Data's recipe", "workers.bench.peers.ray_recipe", "ray"),
    Peer("Daft's recipe", "workers.bench.peers.daft_recipe", "daft"),
)


class PeerRates:
    """The images/s of each peer so far, or the reason why it has none."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.reasons: dict[str, str] = {}

    def measure(self, peer: Peer, task: Task) -> None:
        """Run a peer once more, unless it failed before: it would fail again."""
        if peer.name in self.reasons:
            return
        found = run_peer(peer, task)
        if isinstance(found, str):
            self.reasons[peer.name] = found
        else:
            self.rates[peer.name].append(found)


def run_peer(peer: Peer, task: Task, timeout_s: float = TIMEOUT_S) -> float | str:
    """Return a peer's images/s, or the reason in a few words why it has none."""
    if not peer.is_installed:
        return "not installed; `pip install 'imagemill[bench]'`"
    # What it leaves behind when it is ended goes with its folder.
    folder = Path(tempfile.mkdtemp(prefix="peer-"))
    try:
        return _run(peer, task, timeout_s, os.environ | _QUIET | {"TMPDIR": str(folder)})
    finally:
        _remove(folder)


def _run(peer: Peer, task: Task, timeout_s: float, environment: dict[str, str]) -> float | str:
    process = subprocess.Popen(  # noqa: S603 (our own modules)
        [*_PYTHON, "workers.tether", str(os.getpid()), *_PYTHON, peer.module],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, complaint = process.communicate(task.as_json(), timeout_s)
    except subprocess.TimeoutExpired:
        return f"gave up after {timeout_s:,.0f} s"
    finally:
        _end(process)
    if process.returncode:
        return f"failed: {_last_line(complaint)}"
    try:
        return hear(output)
    except ValueError as error:
        return f"failed: {error}"


def _end(process: subprocess.Popen[str]) -> None:
    """End it and all that it started, unless it has ended by itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # Not for ever: what left its session may still hold its output open.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_TRIES * _PAUSE_S)


def _remove(folder: Path) -> None:
    """Remove a peer's folder; its servers may write into it until they hear of its end."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_S)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["without a word"]
    return lines[-1].strip()[:_LENGTH]
