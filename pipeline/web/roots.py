"""Roots: which local paths may be named over HTTP, checked before anything of them is looked at."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.archives.uris import ArchiveKind, parse_uri
from pipeline.failures import PictureError
from pipeline.fetch.roots import is_below
from pipeline.references import find_path, find_scheme
from pipeline.sources.braces import expand_braces, has_braces
from pipeline.sources.globs import find_start, has_magic
from pipeline.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.config import Settings
    from pipeline.records import Reference

_STDIN = "-"


def allowed_roots(settings: Settings) -> tuple[Path, ...]:
    """Return the folders that a job from HTTP may be about: the roots, and what was uploaded."""
    return (*settings.roots, settings.uploads.absolute())


def check_sources(sources: Sequence[str], roots: Sequence[Path]) -> None:
    """Raise Problem (422) for a source that is standard input, or a path outside of the roots."""
    for source in sources:
        if source == _STDIN:
            raise Problem(422, "wrong_use", "there is no standard input over HTTP; leave - out")
        path = find_path(source)
        if path is None:
            _check_location(_find_location(source), roots, source)
        elif "\0" in path or not path.startswith("/"):
            raise _refuse(source, "is no absolute path and no URL")
        else:
            _check_names(path, roots, source)


def check_references(
    references: Iterable[Reference], roots: Sequence[Path], most: int
) -> Iterator[Reference]:
    """Yield the references; raise Problem for one outside of the roots (422), or too many (413)."""
    for number, reference in enumerate(references, 1):
        if number > most:
            raise Problem(
                413,
                "too_many_references",
                f"more than {most:,} references in one submission; send fewer at once, or ask the "
                "operator to raise IMAGEMILL_UPLOAD_REFERENCES",
            )
        _check_location(_find_location(reference.uri), roots, f"reference {number}")
        yield reference


def _check_names(path: str, roots: Sequence[Path], source: str) -> None:
    """Check the part of a pattern that is no pattern first: nothing else is looked at before."""
    _check_location(find_fixed_part(path), roots, source)
    for name in expand_braces(path) if has_braces(path) else (path,):
        whole = os.path.abspath(name)
        _check_location(find_start(whole) if has_magic(whole) else whole, roots, source)


def find_fixed_part(path: str) -> str:
    """Return what of an absolute path comes before its first part with a brace or a wildcard."""
    parts = os.path.abspath(path).split("/")
    fixed = next((n for n, part in enumerate(parts) if set(part) & set("{*?[")), len(parts))
    return "/".join(parts[:fixed]) or "/"


def _find_location(uri: str) -> str | None:
    """Return the local path that bytes of ``uri`` would be read from; None: from none."""
    scheme = find_scheme(uri)
    if scheme in tuple(ArchiveKind):
        try:
            return parse_uri(uri).location
        except PictureError:
            return None  # Nothing can be read by it.
    return find_path(uri) if scheme in (None, "file") else None


def _check_location(path: str | None, roots: Sequence[Path], what: str) -> None:
    if path is None:
        return
    if not roots:
        raise _refuse(what, "is a local path, and this server reads none")
    if "\0" in path or not is_below(path, roots):
        raise _refuse(what, "is a local path outside of the folders that this server may read")


def _refuse(what: str, reason: str) -> Problem:
    return Problem(
        422,
        "blocked_path",
        f"{what} {reason}; send the pictures themselves, give URLs, or ask the operator to add "
        "the folder to IMAGEMILL_ROOTS",
    )
