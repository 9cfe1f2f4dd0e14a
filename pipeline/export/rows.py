"""Finished images as CSV, JSONL or Parquet: streamed, failures included, never all in memory."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.records import ImageResult

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)


def export(
    results: Iterable[ImageResult],
    format: str,  # noqa: A002 (the word of the command)
    destination: BinaryIO,
    top_k: int = 5,
) -> int:
    """Write the results to an open binary file (a pipe will do), and return how many there were.

    ``format``: ``csv`` (UTF-8, one row an image, columns for ``top_k`` predictions, lines end in a
    line feed), ``jsonl`` (``ImageResult.as_dict()`` a line) or ``parquet``. No result at all still
    makes a valid file. A CSV cell is the stored text itself: one that begins with ``=`` is left as
    it is, so import an export of strangers' names into a spreadsheet as text. Raises UsageError for
    another format; what the destination raises goes out.
    """
    if format == "csv":
        return _write_csv(results, destination, top_k)
    if format == "jsonl":
        return _write_jsonl(results, destination)
    if format == "parquet":
        # Arrow takes long to load, and no other format needs it.
        from pipeline.export.parquet import write_parquet

        return write_parquet(results, destination)
    raise UsageError(f"there is no export as {format!r}; take one of: {', '.join(FORMATS)}")


def _write_jsonl(results: Iterable[ImageResult], destination: BinaryIO) -> int:
    count = 0
    for count, result in enumerate(results, 1):  # noqa: B007 (the last one is the answer)
        destination.write(_as_line(result.as_dict()))
    return count


def _as_line(row: dict[str, object]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        # A lone surrogate: no UTF-8 can hold it, an escape can.
        return json.dumps(row).encode() + b"\n"


class _Lines:
    """What ``csv`` writes to: a row at a time, as bytes.

    The writer's own line end is CR LF, because only then it quotes a cell with a CR in it; the
    file's is LF, for the tools that read lines.
    """

    def __init__(self, destination: BinaryIO) -> None:
        self._destination = destination

    def write(self, row: str) -> None:
        text = row.removesuffix("\r\n") + "\n"
        self._destination.write(text.encode("utf-8", "backslashreplace"))


def _write_csv(results: Iterable[ImageResult], destination: BinaryIO, top_k: int) -> int:
    writer = csv.writer(_Lines(destination))
    writer.writerow(_name_columns(top_k))
    count = 0
    for count, result in enumerate(results, 1):  # noqa: B007 (the last one is the answer)
        writer.writerow(_as_cells(result, top_k))
    return count


def _name_columns(top_k: int) -> list[str]:
    ranked = [
        name if rank == 1 else f"{name}_{rank}"
        for rank in range(1, top_k + 1)
        for name in ("label", "index", "score")
    ]
    return ["uri", "custom_id", *ranked, "error_code", "error_message"]


def _as_cells(result: ImageResult, top_k: int) -> list[object]:
    ranked: list[object] = [None] * (3 * top_k)
    for place, one in enumerate((result.predictions or ())[:top_k]):
        ranked[3 * place : 3 * place + 3] = (one.label, one.index, one.score)
    error = (None, None) if result.error is None else (result.error.code, result.error.message)
    return [result.uri, result.custom_id, *ranked, *error]
