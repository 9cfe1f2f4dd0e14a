"""What processes take: the CPU time of one and of all below it."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of those below it, of the ended ones too."""
    return sum(_own_seconds(member) for member in _family(pid))


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(_fields(entry)[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


def _own_seconds(pid: int) -> float:
    try:
        return sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[11:15])) / _TICKS
    except OSError:
        return 0.0


def _fields(stat: Path) -> list[str]:
    """Return the fields from the state on; a name may hold anything, a bracket too."""
    return stat.read_text().rpartition(")")[2].split()
