"""Processes of the storm: each dies with this one, and carries a mark by which it is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from marked import find_marked

#: The name of the mark in the environment of a process and of all its children.
MARK = "IMAGEMILL_TEST_MARK"

_LEASH = Path(__file__).parents[2] / "tests" / "leash.py"
#: The kernel ends a child with the thread that started it; this one lives as long as the process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="storm")


def start_process(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, piped: bool = False
) -> subprocess.Popen[str]:
    """Start a command whose standard error, and output unless ``piped``, goes to ``log``."""
    leash = [os.getpid(), int(signal.SIGTERM), os.getuid(), os.getgid()]
    words = [sys.executable, "-IS", str(_LEASH), *map(str, leash), *command]
    with log.open("ab") as file:
        return _starter.submit(
            lambda: subprocess.Popen(
                words,
                env=dict(environment),
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else file,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        ).result()


def list_children(mark: str) -> set[int]:
    """Return the ids of all live processes with this mark; a zombie has no environment."""
    return find_marked(MARK, mark)


def list_loaders(mark: str, parent: int) -> list[int]:
    """Return the loader processes of a worker: those that lead a session of their own."""
    found = []
    for pid in list_children(mark):
        try:
            if os.getsid(pid) == pid != parent:
                found.append(pid)
        except ProcessLookupError:
            continue
    return sorted(found)


def describe(pid: int) -> str:
    """Return the command line of a process, for people."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:120]
    except OSError:
        return "one that has just left"


def count_files(pid: int) -> int:
    """Return how many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
