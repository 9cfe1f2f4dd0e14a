"""Parquet manifests, read a few thousand rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.manifests.broken import BrokenManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import pyarrow as pa

    from pipeline.manifests.columns import Columns

#: Rows that are in memory as Python values at once.
_BATCH_ROWS = 2048
#: Bytes of a column that are read from the file at once.
_BUFFER_BYTES = 2**18


def iterate_parquet(stream: BinaryIO, columns: Columns) -> Iterator[tuple[str, str | None]]:
    """Yield (reference, custom id) of each row; a null reference is an empty one.

    Raises BrokenManifestError, or OSError if the file cannot be read.
    """
    import pyarrow as pa

    try:
        yield from _iterate_rows(stream, columns)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the file's, and not Arrow's word for a page that it cannot unpack
        reason = str(error).partition("\n")[0][:120]
        raise BrokenManifestError(f"it is no sound Parquet file ({reason})") from None


def _iterate_rows(stream: BinaryIO, columns: Columns) -> Iterator[tuple[str, str | None]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        names = list(file.schema_arrow.names)
        uri, custom_id = columns.find_uri(names), columns.find_id(names)
        chosen = [uri] if custom_id is None else [uri, custom_id]
        _check_types(file.schema_arrow, uri, custom_id)
        for batch in file.iter_batches(_BATCH_ROWS, columns=chosen, use_threads=False):
            uris = _texts(batch.column(uri))
            ids = [None] * len(uris) if custom_id is None else _texts(batch.column(custom_id))
            for text, own in zip(uris, ids, strict=True):
                yield text or "", own


def _check_types(schema: pa.Schema, uri: str, custom_id: str | None) -> None:
    import pyarrow.types as kinds

    for name in filter(None, (uri, custom_id)):
        kind = schema.field(name).type
        kind = kind.value_type if kinds.is_dictionary(kind) else kind
        if name == custom_id and kinds.is_integer(kind):
            continue
        if not (kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)):
            raise BrokenManifestError(f"its column {name!r} holds {kind}, not text")


def _texts(column: Any) -> list[str | None]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    # As bytes: a text column may hold what is no UTF-8, and one such row must not stop the others.
    values: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return [
        value if value is None else value.decode("utf-8", "surrogateescape") for value in values
    ]
