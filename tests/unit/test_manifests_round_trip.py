from __future__ import annotations

import csv
import gzip
import io
import json
import os
import tracemalloc
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_helpers import read, uris

from pipeline.errors import SourceError
from pipeline.manifests.manifest import FORMATS
from pipeline.records import Reference
from pipeline.sources import SourceOptions, read_sources

BY_NAME = SourceOptions(uri_column="where", id_column="own id")

Rows = list[tuple[str, str | None]]

storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
odd_text = st.one_of(
    storable_text.filter(bool),
    st.sampled_from(
        ['"', "a,b", "a\tb", "a\nb.jpg", "ü/ö.jpg", "'", "#x", "\\", " ", "=1", "\ufeff"]
    ),
)
odd_rows: st.SearchStrategy[Rows] = st.lists(st.tuples(odd_text, st.none() | odd_text), max_size=8)


def write_delimited(stream: io.BytesIO, rows: Rows, delimiter: str) -> None:
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["before", "own id", "where"])
    writer.writerows([["x", own, uri] for uri, own in rows])
    text.detach()


def write_jsonl(stream: io.BytesIO, rows: Rows) -> None:
    for number, (uri, own) in enumerate(rows):
        line = json.dumps({"own id": own, "where": uri}, ensure_ascii=number % 2 == 0)
        stream.write(line.encode() + b"\n")


def write_parquet(stream: io.BytesIO, rows: Rows) -> None:
    where, own = [uri for uri, _ in rows], [own for _, own in rows]
    pq.write_table(
        pa.table({"where": pa.array(where, pa.string()), "own id": pa.array(own, pa.string())}),
        stream,
    )


def encode_rows(kind: str, rows: Rows) -> bytes:
    stream = io.BytesIO()
    match kind.removesuffix(".gz"):
        case "csv":
            write_delimited(stream, rows, ",")
        case "tsv":
            write_delimited(stream, rows, "\t")
        case "jsonl":
            write_jsonl(stream, rows)
        case "parquet":
            write_parquet(stream, rows)
    data = stream.getvalue()
    return gzip.compress(data) if kind.endswith(".gz") else data


def expected_uri(folder: Path, text: str) -> str:
    return os.path.abspath(text if text[0] == "/" else f"{folder}/{text}")  # noqa: PTH100


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "csv.gz", "tsv.gz", "jsonl.gz"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=odd_rows)
def test_odd_references_and_ids_are_read_back_as_they_were_written(
    kind: str, tmp_path: Path, rows: Rows
) -> None:
    path = tmp_path / f"manifest.{kind}"
    path.write_bytes(encode_rows(kind, rows))

    assert read(path, options=BY_NAME) == [
        Reference(expected_uri(tmp_path, uri), own) for uri, own in rows
    ]


@pytest.mark.parametrize("kind", ["txt", "txt.gz"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(odd_text))
def test_odd_lines_are_read_back_as_they_were_written(
    kind: str, tmp_path: Path, names: list[str]
) -> None:
    names = [name for name in names if name.strip() and not set(name) & set("\r\n\ufeff")]
    data = "".join(f"{name}\n" for name in names).encode()
    path = tmp_path / f"manifest.{kind}"
    path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)

    assert uris(path) == [expected_uri(tmp_path, name) for name in names]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.binary(max_size=200), kind=st.sampled_from(FORMATS))
def test_any_bytes_are_a_manifest_or_refused_in_one_sentence(
    tmp_path: Path, data: bytes, kind: str
) -> None:
    headed = b"uri\n" + data
    for name, content in ((kind, data), (kind, headed), (f"{kind}.gz", gzip.compress(headed))):
        path = tmp_path / f"m{name}"
        path.write_bytes(content)
        try:
            references = read(path)
        except SourceError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            for reference in references:
                reference.uri.encode()
                assert "\0" not in reference.uri


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "parquet", "txt.gz"])
def test_a_long_manifest_is_read_at_flat_memory(kind: str, tmp_path: Path) -> None:
    count, path = 40_000, tmp_path / f"m.{kind}"
    names = [f"folder/picture_{number:07d}.jpg" for number in range(count)]
    if kind.startswith("txt"):
        data = "\n".join(names).encode()
        path.write_bytes(gzip.compress(data, 1) if kind.endswith("gz") else data)
    else:
        path.write_bytes(encode_rows(kind, [(name, None) for name in names]))
    del names
    references = read_sources([str(path)], SourceOptions("where" if "txt" not in kind else None))
    seen = len(list(islice(references, 10_000)))

    tracemalloc.start()
    try:
        seen += sum(1 for _ in references)
        assert tracemalloc.get_traced_memory()[1] < 2_500_000
    finally:
        tracemalloc.stop()
    assert seen == count
