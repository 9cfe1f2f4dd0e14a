"""The cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def count_cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Return how many CPU cores this process may use: one at least.

    A container's limit counts too (``docker run --cpus``, Kubernetes), rounded up: it stops a
    process that has more threads at work than that for the rest of each period. ``groups`` is
    where control groups are mounted, ``own`` names those of this process.
    """
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    usable = len(affinity) or os.cpu_count() or 1
    return max(1, math.ceil(min(usable, _quota(groups, own))))


def _quota(groups: Path, own: Path) -> float:
    """Return the smallest limit of this process's groups and those around them, in cores."""
    return min(
        (limit for folder in _folders(groups, own) for limit in _limits(folder)), default=math.inf
    )


def _folders(groups: Path, own: Path) -> set[Path]:
    # In a container the names may be those outside; its own group is then the mount itself.
    found = {groups, groups / "cpu"}
    for line in _read(own).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            group = Path(name.lstrip("/"))
            root = groups / "cpu" if controllers else groups
            found |= {root / part for part in (group, *group.parents)}
    return found


def _limits(folder: Path) -> list[float]:
    """Return the limit in a group's files: version 2 has one, version 1 two."""
    words = _read(folder / "cpu.max").split()
    words = words or [_read(folder / f"cpu.cfs_{each}_us") for each in ("quota", "period")]
    try:
        quota, period = map(int, words)
    except ValueError:
        return []  # No file, or `max`.
    return [quota / period] if quota > 0 and period > 0 else []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
