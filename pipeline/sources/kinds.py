"""What a source is: a file, a folder, a glob, a manifest, an archive, an address, and so on."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import os
import stat
from enum import Enum, auto
from os.path import abspath, lexists
from typing import TYPE_CHECKING

from pipeline.archives import find_archive
from pipeline.errors import SourceError
from pipeline.manifests.manifest import find_format
from pipeline.references import find_path, find_scheme, storable
from pipeline.sources.archives import refuse_compressed
from pipeline.sources.braces import expand_braces, has_braces
from pipeline.sources.globs import has_magic
from pipeline.stores import is_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.fetch.limits import FetchLimits

STDIN = "-"

#: Braces of these are left to the server.
_WEB = ("http", "https")


class Kind(Enum):
    """What a source is."""

    STDIN = auto()
    URL = auto()
    STORE = auto()
    FILE = auto()
    FOLDER = auto()
    GLOB = auto()
    MANIFEST = auto()
    ARCHIVE = auto()


def expand(sources: Sequence[str]) -> Iterator[str]:
    """Yield the sources, braces expanded where there is no file of that very name."""
    for source in sources:
        if not has_braces(source) or find_scheme(source) in _WEB or lexists(find_name(source)):
            yield source
        else:
            yield from expand_braces(source)


def find_kind(source: str, limits: FetchLimits) -> tuple[Kind, str]:
    """Return what a source is, and its absolute path or URL; a path that exists is no glob.

    Raises SourceError for what is not there, or is known to be of no use.
    """
    path = find_name(source)
    if source == STDIN:
        return Kind.STDIN, source
    if find_path(source) is None:
        return Kind.STORE if is_store(source, limits) else Kind.URL, source
    mode = find_mode(path)
    if stat.S_ISDIR(mode) and not find_format(path):
        return Kind.FOLDER, path
    if mode or lexists(path):  # a dangling link fails where people see it
        return _find_file_kind(path, mode), path
    if has_magic(path):
        return Kind.GLOB, path
    raise SourceError(f"there is no {storable(path)}; check the name of this source")


def find_name(source: str) -> str:
    """Return the absolute path, or the source itself if it is no path."""
    if not source:
        raise SourceError("a source is empty; name a file, a folder, a glob or a URL")
    path = find_path(source)
    return source if path is None or source == STDIN else abspath(path)


def find_mode(path: str) -> int:
    """Return the mode of what a path leads to, 0 if it leads nowhere."""
    try:
        return os.stat(path).st_mode
    except PermissionError:
        raise SourceError(f"{storable(path)}: permission denied; make it readable") from None
    except (OSError, ValueError):
        return 0


def _find_file_kind(path: str, mode: int) -> Kind:
    if find_format(path):
        return Kind.MANIFEST
    if mode:
        refuse_compressed(path)
    return Kind.ARCHIVE if mode and find_archive(path) else Kind.FILE
