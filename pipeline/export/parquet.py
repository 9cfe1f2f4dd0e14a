"""Finished images as a Parquet file with nested predictions. Loads pyarrow: import it late."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.records import ImageResult

#: Grows when a column changes its meaning; in the file's metadata.
FORMAT_VERSION = 1
#: Images in a row group: what is held in memory.
ROW_GROUP = 10_000

_PREDICTION = pa.struct(
    [
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
_ERROR = pa.struct(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("retryable", pa.bool_(), nullable=False),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("custom_id", pa.string()),
        pa.field("predictions", pa.list_(_PREDICTION)),
        pa.field("error", _ERROR),
    ],
    metadata={"format_version": str(FORMAT_VERSION)},
)


class _Sink:
    """The destination as Arrow wants it: it must know its position, which a pipe does not."""

    closed = False

    def __init__(self, destination: BinaryIO) -> None:
        self._destination = destination
        self._position = 0

    def write(self, data: bytes) -> int:
        self._destination.write(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        self._destination.flush()


def write_parquet(results: Iterable[ImageResult], destination: BinaryIO) -> int:
    """Write the results in row groups of 10,000, and return how many there were."""
    remaining, count = iter(results), 0
    with parquet.ParquetWriter(_Sink(destination), SCHEMA, compression="zstd") as writer:
        while rows := [result.as_dict() for result in islice(remaining, ROW_GROUP)]:
            writer.write_table(_make_table(rows), row_group_size=ROW_GROUP)
            count += len(rows)
    return count


def _make_table(rows: list[dict[str, object]]) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, SCHEMA)
    except UnicodeEncodeError:
        # A lone surrogate: no UTF-8 can hold it, an escape can.
        return pa.Table.from_pylist([_escape(row) for row in rows], SCHEMA)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _escape(one) for name, one in value.items()}
    return [_escape(one) for one in value] if isinstance(value, list) else value
