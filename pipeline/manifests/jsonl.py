"""JSONL manifests: an object a line, or the bare reference as a JSON string."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.manifests.broken import BrokenManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.manifests.columns import Columns


def iterate_jsonl(lines: Iterable[str], columns: Columns) -> Iterator[tuple[str, str | None]]:
    """Yield (reference, custom id) of each line; a null reference is an empty one.

    Raises BrokenManifestError with the line's number.
    """
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield _read_row(_parse(line), columns)
        except BrokenManifestError as error:
            raise BrokenManifestError(f"line {number}: {error}") from None


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        # Never the error's whole text: some of them quote the line.
        reason = getattr(error, "msg", "this cannot be read")
        raise BrokenManifestError(f"broken JSON ({reason})") from None


def _read_row(row: Any, columns: Columns) -> tuple[str, str | None]:
    if isinstance(row, str) and columns.id is None:
        return row, None
    if not isinstance(row, dict):
        raise BrokenManifestError("expected an object with a reference in it")
    names = list(row)
    uri_key, id_key = columns.find_uri(names), columns.find_id(names)
    uri = row[uri_key]
    if uri is not None and not isinstance(uri, str):
        raise BrokenManifestError(f"{uri_key!r} is {type(uri).__name__}, not text")
    return uri or "", None if id_key is None else _read_id(id_key, row[id_key])


def _read_id(key: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise BrokenManifestError(f"{key!r} is {type(value).__name__}, not text or a number")
