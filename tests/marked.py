"""Finds the processes that a test started, by a mark in their environment."""

from __future__ import annotations

from pathlib import Path


def find_marked(name: str, value: str) -> set[int]:
    """Return the ids of all live processes whose environment holds ``name=value``."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{name}={value}".encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found
