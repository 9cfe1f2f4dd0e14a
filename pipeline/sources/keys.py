"""Globs in object stores: keys know no folders, so a pattern is held against each whole key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.sources.folders import is_image
from pipeline.sources.globs import Glob

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = re.compile(r"[*?[]")


def find_prefix(pattern: str) -> str:
    """Return how each key begins that ``pattern`` can match: what is listed at all."""
    return _MAGIC.split(pattern, maxsplit=1)[0]


def compile_keys(pattern: str) -> Callable[[str], bool]:
    """Return the function that says whether a key is meant, as a local glob means its paths.

    What would be a matched folder stands for the images below it. A key that is the pattern letter
    by letter is meant too.
    """
    glob = Glob(tuple(pattern.rstrip("/").split("/")))
    start = glob.reach({0})

    def is_meant(key: str) -> bool:
        states, names = start, key.split("/")
        for depth, name in enumerate(names):
            if glob.accepts(states):
                return depth > 0 and is_image(names[-1])
            states = glob.advance(states, name)
        return glob.accepts(states) or key == pattern

    return is_meant
