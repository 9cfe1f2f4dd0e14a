"""A manifest as a stream of references, whatever its format is."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH120, PTH122, PTH123

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from os.path import dirname, splitext
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import SourceError
from pipeline.manifests.broken import BrokenManifestError
from pipeline.manifests.delimited import iterate_delimited
from pipeline.manifests.jsonl import iterate_jsonl
from pipeline.manifests.lines import iterate_lines
from pipeline.manifests.parquet import iterate_parquet
from pipeline.manifests.text import iterate_text
from pipeline.references import make_reference, storable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TextIO

    from pipeline.manifests.columns import Columns
    from pipeline.records import Reference

#: Formats that a manifest may have; all but Parquet may be compressed (``.csv.gz``).
FORMATS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")


def find_format(path: str) -> str | None:
    """Return a manifest's format by its suffix, in lower case; None: this is no manifest."""
    stem, suffix = splitext(path.lower())
    if suffix == ".gz":
        suffix = splitext(stem)[1].replace(".parquet", "")
    return suffix if suffix in FORMATS else None


def iterate_manifest(path: str, columns: Columns) -> Iterator[Reference]:
    """Yield the references of a manifest at flat memory; relative paths start at its folder.

    Raises SourceError with the line's number when it is not what its suffix says.
    """
    folder = dirname(path)
    with _explaining(storable(path)), _open(path) as stream:
        for text, custom_id in _iterate_rows(stream, find_format(path), columns):
            yield make_reference(text, folder, custom_id)


def iterate_stdin(stdin: BinaryIO | TextIO, folder: str) -> Iterator[Reference]:
    """Yield the reference that each line is; relative paths start at ``folder``.

    Raises SourceError when standard input cannot be read.
    """
    stream: Any = getattr(stdin, "buffer", stdin)
    with _explaining("standard input"):
        lines = stream if isinstance(stream, io.TextIOBase) else iterate_lines(stream)
        for text, custom_id in iterate_text(lines):
            yield make_reference(text, folder, custom_id)


def _iterate_rows(
    stream: BinaryIO, kind: str | None, columns: Columns
) -> Iterator[tuple[str, str | None]]:
    if kind == ".parquet":
        return iterate_parquet(stream, columns)
    lines = iterate_lines(stream)
    if kind == ".jsonl":
        return iterate_jsonl(lines, columns)
    if kind in (".csv", ".tsv"):
        return iterate_delimited(lines, "," if kind == ".csv" else "\t", columns)
    return iterate_text(lines)


def _open(path: str) -> BinaryIO:
    if path.lower().endswith(".gz"):
        return io.BufferedReader(cast("io.RawIOBase", gzip.open(path)))
    return open(path, "rb")


@contextmanager
def _explaining(name: str) -> Iterator[None]:
    """Turn what goes wrong while ``name`` is read into a SourceError that names it."""
    try:
        yield
    except BrokenManifestError as error:
        raise SourceError(f"{name}: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SourceError(f"{name}: broken gzip; compress it again") from None
    except IsADirectoryError:
        raise SourceError(f"{name} is a folder, no manifest; name the manifests in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name} cannot be read: {reason}") from None
