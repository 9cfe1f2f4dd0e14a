"""What an export holds is what it was given, in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.export.rows import FORMATS, export
from pipeline.records import Failure, FailureCode, ImageResult, Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a database can hold: no NUL, no lone surrogate.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
predictions = st.lists(
    st.tuples(texts, st.integers(0, 2**31 - 1), st.floats(0, 1, width=32)), min_size=1, max_size=5
).map(lambda found: tuple(Prediction(rank, *one) for rank, one in enumerate(found, 1)))
failures = st.builds(Failure, st.sampled_from(FailureCode), texts)
images = st.one_of(
    st.builds(ImageResult, texts, st.none() | texts, predictions, st.none()),
    st.builds(ImageResult, texts, st.none() | texts, st.none(), failures),
)
results = st.lists(images, max_size=8)


def written(found: list[ImageResult], form: str, top_k: int = 5) -> bytes:
    destination = io.BytesIO()
    assert export(iter(found), form, destination, top_k) == len(found)
    return destination.getvalue()


def rows_of_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def rows_of_parquet(data: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def synthetic(number: int) -> Iterator[ImageResult]:
    ranks = tuple(Prediction(rank, f"label {rank}", rank, 1 / rank) for rank in range(1, 6))
    for index in range(number):
        yield ImageResult(f"/pictures/{index:09}.jpg", f"id {index}", ranks, None)


CLASSIFIED = ImageResult("/a.jpg", "7", (Prediction(1, "cat", 281, 0.75),), None)
FAILED = ImageResult("/b.jpg", None, None, Failure(FailureCode.TIMEOUT, "no answer in 10 s"))


@given(results)
def test_a_jsonl_export_reads_back_as_the_rows_it_was_given(found: list[ImageResult]) -> None:
    lines = written(found, "jsonl").decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [one.as_dict() for one in found]


@given(results)
def test_a_parquet_export_reads_back_as_the_rows_it_was_given(found: list[ImageResult]) -> None:
    assert rows_of_parquet(written(found, "parquet")) == [one.as_dict() for one in found]


@given(results)
def test_a_csv_export_reads_back_cell_by_cell(found: list[ImageResult]) -> None:
    rows = rows_of_csv(written(found, "csv"))
    assert len(rows) == len(found)
    for row, one in zip(rows, found, strict=True):
        assert (row["uri"], row["custom_id"]) == (one.uri, one.custom_id or "")
        for rank in range(1, 6):
            suffix = "" if rank == 1 else f"_{rank}"
            cells = tuple(row[name + suffix] for name in ("label", "index", "score"))
            ranked = dict(enumerate(one.predictions or (), 1)).get(rank)
            wanted = ("", "", "")
            if ranked is not None:
                wanted = (ranked.label, str(ranked.index), str(ranked.score))
                assert float(cells[2]) == ranked.score
            assert cells == wanted
        error = ("", "") if one.error is None else (one.error.code, one.error.message)
        assert (row["error_code"], row["error_message"]) == error


def test_the_csv_has_the_columns_of_the_ranks_that_were_asked_for() -> None:
    assert written([CLASSIFIED, FAILED], "csv", top_k=2).decode() == (
        "uri,custom_id,label,index,score,label_2,index_2,score_2,error_code,error_message\n"
        "/a.jpg,7,cat,281,0.75,,,,,\n"
        "/b.jpg,,,,,,,,timeout,no answer in 10 s\n"
    )


def test_a_csv_row_has_room_for_top_k_and_no_more() -> None:
    ranks = tuple(Prediction(rank, "x", rank, 0.5) for rank in range(1, 6))
    rows = rows_of_csv(written([ImageResult("/a.jpg", None, ranks, None)], "csv", top_k=1))
    assert rows == [
        {
            "uri": "/a.jpg",
            "custom_id": "",
            "label": "x",
            "index": "1",
            "score": "0.5",
            "error_code": "",
            "error_message": "",
        }
    ]


def test_a_cell_that_a_spreadsheet_would_compute_is_left_as_it_is() -> None:
    found = ImageResult("/a.jpg", "=1+1", CLASSIFIED.predictions, None)
    assert rows_of_csv(written([found], "csv"))[0]["custom_id"] == "=1+1"


def test_letters_of_every_script_are_written_as_they_are() -> None:
    found = ImageResult("/bilder/Äpfel 🍎.jpg", None, None, FAILED.error)
    for form in ("csv", "jsonl"):
        assert "/bilder/Äpfel 🍎.jpg".encode() in written([found], form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_lone_surrogate_is_escaped_and_never_ends_an_export(form: str) -> None:
    found = ImageResult("/a\udcff.jpg", None, None, Failure(FailureCode.NOT_FOUND, "b\udcfe"))
    data = written([CLASSIFIED, found], form)
    if form == "jsonl":
        assert json.loads(data.splitlines()[1]) == found.as_dict()
    else:
        rows = rows_of_csv(data) if form == "csv" else rows_of_parquet(data)
        assert rows[1]["uri"] == "/a\\udcff.jpg"


def test_an_export_of_nothing_is_still_a_valid_file() -> None:
    assert written([], "jsonl") == b""
    assert written([], "csv", top_k=1) == (
        b"uri,custom_id,label,index,score,error_code,error_message\n"
    )
    table = pq.read_table(io.BytesIO(written([], "parquet")))
    assert table.num_rows == 0
    assert table.column_names == ["uri", "custom_id", "predictions", "error"]


def test_a_parquet_export_names_its_types_and_its_version() -> None:
    schema = pq.read_schema(io.BytesIO(written([CLASSIFIED], "parquet")))
    assert schema.metadata[b"format_version"] == b"1"
    assert str(schema.field("predictions").type.value_type) == (
        "struct<rank: int32 not null, label: string not null, index: int32 not null, "
        "score: double not null>"
    )
    assert str(schema.field("error").type) == (
        "struct<code: string not null, message: string not null, retryable: bool not null>"
    )


def test_a_parquet_export_has_row_groups_of_ten_thousand() -> None:
    destination = io.BytesIO()
    assert export(synthetic(25_000), "parquet", destination) == 25_000
    about = pq.read_metadata(destination)
    sizes = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
    assert sizes == [10_000, 10_000, 5_000]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_goes_through_a_pipe_and_leaves_it_open(form: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as destination:
            assert export([CLASSIFIED, FAILED], form, destination) == 2
            assert not destination.closed
        assert source.read() == written([CLASSIFIED, FAILED], form)


def test_an_unknown_format_is_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"no export as 'xml'; take one of: csv, jsonl, parquet"):
        export([], "xml", io.BytesIO())


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_no_more_of_many_images_than_of_few(form: str) -> None:
    class Nowhere(io.RawIOBase):
        def write(self, data: Any) -> int:
            return len(data)

    export(synthetic(10), form, Nowhere())  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        export(synthetic(40_000 if form == "parquet" else 15_000), form, Nowhere())  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Arrow holds two row groups of 10,000 images (27 MB) for a moment; all 40,000 are over 50 MB.
    assert peak < (40_000_000 if form == "parquet" else 1_000_000)


def test_reads_load_neither_torch_nor_arrow() -> None:
    code = (
        "import sys, pipeline.queries.results, pipeline.queries.chunks, pipeline.export.rows\n"
        "print([name for name in ('torch', 'pyarrow', 'numpy', 'workers') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "[]\n"
