"""Globs: the paths that a shell pattern means, sorted, each once, without a list of them all."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH112, PTH118

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from os.path import isdir, join, lexists
from typing import TYPE_CHECKING

from pipeline.fetch.roots import is_below
from pipeline.sources.folders import list_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAGIC = re.compile(r"[*?[]")
_ANY_DEPTH = "**"


def has_magic(text: str) -> bool:
    """Return whether ``text`` holds a character that means something to a shell's pattern."""
    return bool(_MAGIC.search(text))


def find_start(pattern: str) -> str:
    """Return the folder in which the absolute ``pattern`` begins, as it is written."""
    return _split(pattern)[0]


def iterate_matches(pattern: str, roots: tuple[Path, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Yield (path, is a folder) of what the absolute ``pattern`` matches; ``**`` is any depth.

    Nothing below a matched folder is yielded: the folder stands for it. As in a shell, ``*``
    matches no leading dot. Under ``**`` links to folders are not followed, and those that lead out
    of the ``roots`` (none: any folder) nowhere.

    Raises SourceError for a folder that cannot be listed.
    """
    root, parts = _split(pattern)
    glob = Glob(parts, roots)
    start = glob.reach({0})
    if not isdir(root):
        return
    if glob.accepts(start):  # only "**" matches the folder before it
        yield root, True
        return
    levels = [(root, iter(glob.list(root)), start)]
    while levels:
        folder, entries, states = levels[-1]
        name, is_folder = next(entries, ("", False))
        if not name:
            levels.pop()
            continue
        path, reached = join(folder, name), glob.advance(states, name)
        if glob.accepts(reached):
            yield path, is_folder
        elif reached and is_folder:
            levels.append((path, iter(glob.list(path)), reached))


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern's parts as an automaton; a state is the number of parts that are matched."""

    parts: tuple[str, ...]
    roots: tuple[Path, ...] = ()

    def list(self, folder: str) -> list[tuple[str, bool]]:
        """Return the entries of a folder as ``list_folder`` does."""
        if self.roots and not is_below(folder, self.roots):
            return []
        return list_folder(folder, follow=_ANY_DEPTH not in self.parts)

    def accepts(self, states: frozenset[int]) -> bool:
        """Return whether the names so far are all that the pattern asks for."""
        return len(self.parts) in states

    def reach(self, states: set[int]) -> frozenset[int]:
        """Add what follows without a name: ``**`` may stand for no folder at all."""
        for state in sorted(states):
            while state < len(self.parts) and self.parts[state] == _ANY_DEPTH:
                state += 1
                states.add(state)
        return frozenset(states)

    def advance(self, states: frozenset[int], name: str) -> frozenset[int]:
        """Return the states after one more name; none: nothing below it can match."""
        reached = set()
        for state in states:
            if state < len(self.parts) and _matches(name, self.parts[state]):
                reached.add(state if self.parts[state] == _ANY_DEPTH else state + 1)
        return self.reach(reached)


def _matches(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, part)


def _split(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Return the folder that is there as it is written, and the parts below it."""
    root, parts = "/", pattern.strip("/").split("/")
    while len(parts) > 1 and (not has_magic(parts[0]) or lexists(join(root, parts[0]))):
        root = join(root, parts.pop(0))
    return root, tuple(parts)
