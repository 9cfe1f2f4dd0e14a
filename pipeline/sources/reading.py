"""Each source in turn, read as what it is: file, folder, glob, URL, manifest or standard input."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH100, PTH109, PTH116

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict
from enum import Enum, auto
from os.path import abspath, lexists
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.manifests.manifest import find_format, iterate_manifest, iterate_stdin
from pipeline.references import find_path, make_reference, storable
from pipeline.sources.folders import iterate_folder, list_folder
from pipeline.sources.globs import find_start, has_magic, iterate_matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO, TextIO

    from pipeline.records import Reference
    from pipeline.sources.options import SourceOptions

_STDIN = "-"


class _Kind(Enum):
    STDIN = auto()
    URL = auto()
    FILE = auto()
    FOLDER = auto()
    GLOB = auto()
    MANIFEST = auto()


def read_sources(
    sources: Sequence[str], options: SourceOptions, stdin: BinaryIO | TextIO | None = None
) -> Iterator[Reference]:
    """Yield the wanted references of the sources one after another, lazily, at flat memory.

    A local file is its plain absolute path, links unresolved. ``stdin`` is what ``-`` reads.

    Raises SourceError, also in the middle: for what is missing, unreadable or broken.
    """
    is_wanted = options.make_predicate()
    for source in sources:
        for reference in _read(source, options, stdin):
            if is_wanted(reference.uri):
                yield reference


def check_sources(sources: Sequence[str], options: SourceOptions) -> None:
    """Find what can be found wrong before there is a job: by a look at each source's beginning.

    Raises SourceError. Standard input and pipes are not looked at: that would use them up.
    """
    if not sources:
        raise SourceError(
            "no source is given; name files, folders, globs, URLs, manifests, or - for stdin"
        )
    for source in sources:
        kind, path = _resolve(source)
        if kind is _Kind.FOLDER:
            list_folder(path)
        elif kind is _Kind.GLOB or (kind is _Kind.MANIFEST and not stat.S_ISFIFO(_mode(path))):
            next(_read(source, options, None), None)
    named = options.uri_column or options.id_column
    if named and not any(map(_has_columns, sources)):
        raise SourceError(
            f"no source here has a column {named!r}: columns are those of .csv, .tsv, .jsonl and "
            ".parquet manifests"
        )


def sources_hash(sources: Sequence[str], options: SourceOptions) -> str:
    """Return the SHA-256 (hex) of the sources' absolute names and the options, not of contents."""
    named = [_resolve_name(source) for source in sources]
    return hashlib.sha256(json.dumps([named, asdict(options)]).encode()).hexdigest()


def list_folder_sources(sources: Sequence[str]) -> list[str]:
    """Return the absolute folders among the sources, those in which a glob begins included."""
    found = []
    for source in sources:
        kind, path = _resolve(source)
        if kind is _Kind.GLOB:
            found.append(storable(find_start(path)))
        elif kind is _Kind.FOLDER:
            found.append(storable(path))
    return found


def _read(
    source: str, options: SourceOptions, stdin: BinaryIO | TextIO | None
) -> Iterator[Reference]:
    kind, path = _resolve(source)
    if kind is _Kind.STDIN:
        return _read_stdin(stdin)
    if kind is _Kind.MANIFEST:
        return iterate_manifest(path, options.columns)
    if kind is _Kind.FOLDER:
        return map(_reference, iterate_folder(path))
    if kind is _Kind.GLOB:
        return map(_reference, _iterate_glob(path))
    return iter([_reference(path)])


def _read_stdin(stdin: BinaryIO | TextIO | None) -> Iterator[Reference]:
    if stdin is None:
        raise SourceError("there is no standard input to read; name a file or a folder")
    return iterate_stdin(stdin, os.getcwd())


def _iterate_glob(pattern: str) -> Iterator[str]:
    found = False
    for path, is_folder in iterate_matches(pattern):
        found = True
        if is_folder:
            yield from iterate_folder(path)
        else:
            yield path
    if not found:
        raise SourceError(f"nothing matches {storable(pattern)}; check the pattern")


def _has_columns(source: str) -> bool:
    kind, path = _resolve(source)
    return kind is _Kind.MANIFEST and find_format(path) != ".txt"


def _resolve(source: str) -> tuple[_Kind, str]:
    """Return what a source is, and its absolute path or URL; a path that exists is no glob."""
    path = _resolve_name(source)
    if source == _STDIN:
        return _Kind.STDIN, source
    if find_path(source) is None:
        return _Kind.URL, source
    mode = _mode(path)
    if find_format(path) and (mode or lexists(path)):
        return _Kind.MANIFEST, path
    if stat.S_ISDIR(mode):
        return _Kind.FOLDER, path
    if mode or lexists(path):  # a dangling link fails where people see it
        return _Kind.FILE, path
    if has_magic(path):
        return _Kind.GLOB, path
    raise SourceError(f"there is no {storable(path)}; check the name of this source")


def _resolve_name(source: str) -> str:
    """Return the absolute path, or the source itself if it is no path."""
    if not source:
        raise SourceError("a source is empty; name a file, a folder, a glob or a URL")
    path = find_path(source)
    return source if path is None or source == _STDIN else abspath(path)


def _mode(path: str) -> int:
    """Return the mode of what a path leads to, 0 if it leads nowhere."""
    try:
        return os.stat(path).st_mode
    except PermissionError:
        raise SourceError(f"{storable(path)}: permission denied; make it readable") from None
    except (OSError, ValueError):
        return 0


def _reference(uri: str) -> Reference:
    return make_reference(uri, "/")
