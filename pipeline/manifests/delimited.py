"""CSV and TSV manifests: a header, then a row for each image."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from pipeline.manifests.broken import BrokenManifestError

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterable, Iterator

    from pipeline.manifests.columns import Columns


def iterate_delimited(
    lines: Iterable[str], delimiter: str, columns: Columns
) -> Iterator[tuple[str, str | None]]:
    """Yield (reference, custom id) of each row; an empty id is none.

    Raises BrokenManifestError with the line's number.
    """
    reader = csv.reader(_without_nul(lines), delimiter=delimiter, strict=True)
    try:
        header = next((row for row in reader if row), None)
        if header is None:
            raise BrokenManifestError("it is empty; its first row must name its columns")
        yield from _iterate_rows(reader, header, columns)
    except csv.Error as error:
        raise BrokenManifestError(f"line {reader.line_num}: {error}") from None


def _iterate_rows(
    reader: Reader, header: list[str], columns: Columns
) -> Iterator[tuple[str, str | None]]:
    uri_at = header.index(columns.find_uri(header))
    id_column = columns.find_id(header)
    id_at = uri_at if id_column is None else header.index(id_column)
    needed = max(uri_at, id_at) + 1
    for cells in reader:
        if len(cells) > len(header):
            raise BrokenManifestError(
                f"line {reader.line_num} has {len(cells)} cells, but there are {len(header)} "
                "columns; a cell with a separator in it wants quotes"
            )
        if len(cells) >= needed:
            yield cells[uri_at], (cells[id_at] or None) if id_column is not None else None
        elif cells:
            raise BrokenManifestError(
                f"line {reader.line_num} has {len(cells)} of {len(header)} cells; "
                f"{header[needed - 1]!r} is number {needed}"
            )


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise BrokenManifestError(f"line {number} holds a NUL byte: this is no text")
        yield line
