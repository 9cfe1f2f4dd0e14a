"""Each source in turn, read as what it is, and looked at before there is a job."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH109, PTH120

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict
from os.path import dirname
from typing import TYPE_CHECKING

from pipeline.archives import find_archive
from pipeline.errors import SourceError
from pipeline.fetch.limits import FetchLimits
from pipeline.manifests.manifest import find_format, iterate_manifest, iterate_stdin
from pipeline.references import make_reference, storable
from pipeline.sources.archives import iterate_archive
from pipeline.sources.folders import iterate_folder, list_folder
from pipeline.sources.globs import find_start, iterate_matches
from pipeline.sources.kinds import Kind, expand, find_kind, find_mode, find_name
from pipeline.sources.stores import check_store, iterate_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO, TextIO

    from pipeline.records import Reference
    from pipeline.sources.options import SourceOptions

#: For those who say nothing of what may be fetched.
_LIMITS = FetchLimits(max_bytes=0, timeout_s=60)


def read_sources(
    sources: Sequence[str],
    options: SourceOptions,
    stdin: BinaryIO | TextIO | None = None,
    limits: FetchLimits = _LIMITS,
) -> Iterator[Reference]:
    """Yield the wanted references of the sources one after another, lazily, at flat memory.

    A local file is its plain absolute path, links unresolved. ``stdin`` is what ``-`` reads.
    ``limits`` say which stores are enabled, and how long one request to them may take.

    Raises SourceError, also in the middle: for what is missing, unreadable or broken.
    """
    is_wanted = options.make_predicate()
    for source in expand(sources):
        for reference in _read(source, options, stdin, limits):
            if is_wanted(reference.uri):
                yield reference


def check_sources(
    sources: Sequence[str], options: SourceOptions, limits: FetchLimits = _LIMITS
) -> None:
    """Find what can be found wrong before there is a job: by a look at each source's beginning.

    Raises SourceError. Standard input and pipes are not looked at: that would use them up.
    """
    if not sources:
        raise SourceError(
            "no source is given; name files, folders, globs, URLs, manifests, or - for stdin"
        )
    has_columns = False
    for source in expand(sources):
        kind, path = find_kind(source, limits)
        _check(kind, path, options, limits)
        is_manifest = kind is Kind.MANIFEST or kind is Kind.STORE
        has_columns |= is_manifest and find_format(path) not in (None, ".txt")
    named = options.uri_column or options.id_column
    if named and not has_columns:
        raise SourceError(
            f"no source here has a column {named!r}: columns are those of .csv, .tsv, .jsonl and "
            ".parquet manifests"
        )


def sources_hash(sources: Sequence[str], options: SourceOptions) -> str:
    """Return the SHA-256 (hex) of the sources' absolute names and the options, not of contents."""
    named = [find_name(source) for source in sources]
    return hashlib.sha256(json.dumps([named, asdict(options)]).encode()).hexdigest()


def list_folder_sources(sources: Sequence[str]) -> list[str]:
    """Return the absolute local folders without which every image of a source would be missing.

    Each once: those that are sources, in which a glob begins, and in which an archive lies.
    """
    kinds = (find_kind(source, _LIMITS) for source in expand(sources))
    folders = (_find_folder(kind, path) for kind, path in kinds)
    return list(dict.fromkeys(storable(folder) for folder in folders if folder))


def _find_folder(kind: Kind, path: str) -> str | None:
    if kind is Kind.GLOB:
        return find_start(path)
    if kind is Kind.ARCHIVE:
        return dirname(path)
    return path if kind is Kind.FOLDER else None


def _check(kind: Kind, path: str, options: SourceOptions, limits: FetchLimits) -> None:
    if kind is Kind.FOLDER:
        list_folder(path)
    elif kind is Kind.STORE:
        check_store(path, options.columns, limits)
    elif kind is Kind.GLOB or kind is Kind.ARCHIVE:
        next(_read(path, options, None, limits), None)
    elif kind is Kind.MANIFEST and not stat.S_ISFIFO(find_mode(path)):
        next(iterate_manifest(path, options.columns, limits), None)


def _read(
    source: str, options: SourceOptions, stdin: BinaryIO | TextIO | None, limits: FetchLimits
) -> Iterator[Reference]:
    kind, path = find_kind(source, limits)
    if kind is Kind.STDIN:
        return _read_stdin(stdin)
    if kind is Kind.MANIFEST:
        return iterate_manifest(path, options.columns, limits)
    if kind is Kind.STORE:
        return iterate_store(path, options.columns, limits)
    return _read_images(kind, path, limits)


def _read_stdin(stdin: BinaryIO | TextIO | None) -> Iterator[Reference]:
    if stdin is None:
        raise SourceError("there is no standard input to read; name a file or a folder")
    return iterate_stdin(stdin, os.getcwd())


def _read_images(kind: Kind, path: str, limits: FetchLimits) -> Iterator[Reference]:
    if kind is Kind.FOLDER:
        return map(_reference, iterate_folder(path))
    if kind is Kind.GLOB:
        return _read_glob(path, limits)
    if kind is Kind.ARCHIVE:
        return iterate_archive(path, limits)
    return iter([_reference(path)])


def _read_glob(pattern: str, limits: FetchLimits) -> Iterator[Reference]:
    found = False
    for path, is_folder in iterate_matches(pattern, limits.roots):
        found = True
        if is_folder:
            yield from map(_reference, iterate_folder(path))
        elif find_archive(path) and stat.S_ISREG(find_mode(path)):
            yield from iterate_archive(path, limits)
        else:
            yield _reference(path)
    if not found:
        raise SourceError(f"nothing matches {storable(pattern)}; check the pattern")


def _reference(uri: str) -> Reference:
    return make_reference(uri, "/")
