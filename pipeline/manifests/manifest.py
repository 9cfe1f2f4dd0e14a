"""A manifest as a stream of references, whatever its format is."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH118, PTH120, PTH122, PTH123

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from os.path import dirname, join, normpath, splitext
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import SourceError
from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits
from pipeline.manifests.broken import BrokenManifestError
from pipeline.manifests.delimited import iterate_delimited
from pipeline.manifests.jsonl import iterate_jsonl
from pipeline.manifests.lines import iterate_lines
from pipeline.manifests.parquet import iterate_parquet
from pipeline.manifests.text import iterate_text
from pipeline.references import find_scheme, make_reference, storable
from pipeline.stores.reading import open_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TextIO

    from pipeline.manifests.columns import Columns
    from pipeline.records import Reference

#: Formats that a manifest may have; all but Parquet may be compressed (``.csv.gz``).
FORMATS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")

#: What a manifest in a store may take where nobody says otherwise.
_LIMITS = FetchLimits(max_bytes=0, timeout_s=60)


def find_format(path: str) -> str | None:
    """Return a manifest's format by its suffix, in lower case; None: this is no manifest."""
    stem, suffix = splitext(path.lower())
    if suffix == ".gz":
        suffix = splitext(stem)[1].replace(".parquet", "")
    return suffix if suffix in FORMATS else None


def iterate_manifest(
    path: str, columns: Columns, limits: FetchLimits = _LIMITS
) -> Iterator[Reference]:
    """Yield the references of a manifest at flat memory; relative paths start at its folder.

    ``path``: an absolute path, or an address in an object store (its folder is there too).
    Raises SourceError with the line's number when it is not what its suffix says.
    """
    make = _make_stored if find_scheme(path) else make_reference
    folder = dirname(path)
    with _explaining(storable(path)), _open(path, limits) as stream:
        for text, custom_id in _iterate_rows(stream, find_format(path), columns):
            yield make(text, folder, custom_id)


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


def _make_stored(text: str, folder: str, custom_id: str | None) -> Reference:
    """Return a reference of a manifest in a store: a relative one never leaves its bucket."""
    if text and not text.startswith("/") and not find_scheme(text):
        scheme, _, inside = folder.partition("://")
        bucket, _, path = inside.partition("/")
        text = f"{scheme}://{bucket}{normpath(join('/', path, text))}"
    return make_reference(text, "/", custom_id)


def _open(path: str, limits: FetchLimits) -> BinaryIO:
    stream = _open_plain(path, limits)
    if path.lower().endswith(".gz"):
        return io.BufferedReader(cast("io.RawIOBase", _Unzipped(stream)))
    return stream


def _open_plain(path: str, limits: FetchLimits) -> BinaryIO:
    return open_object(path, limits) if find_scheme(path) else open(path, "rb")


class _Unzipped(gzip.GzipFile):
    """A compressed manifest; closing it closes what it is read from."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(fileobj=stream)
        self._stream = stream

    def close(self) -> None:
        super().close()
        self._stream.close()


@contextmanager
def _explaining(name: str) -> Iterator[None]:
    """Turn what goes wrong while ``name`` is read into a SourceError that names it."""
    try:
        yield
    except BrokenManifestError as error:
        raise SourceError(f"{name}: {error}") from None
    except PictureError as error:
        raise SourceError(f"{name} cannot be read: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SourceError(f"{name}: broken gzip; compress it again") from None
    except IsADirectoryError:
        raise SourceError(f"{name} is a folder, no manifest; name the manifests in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name} cannot be read: {reason}") from None
