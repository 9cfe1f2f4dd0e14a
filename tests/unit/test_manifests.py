from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_helpers import early_refusal, read, refusal, uris, write

from pipeline.records import Reference
from pipeline.sources import SourceOptions


def test_a_relative_reference_starts_at_the_manifests_folder(tmp_path: Path) -> None:
    lines = "a.jpg\n./b.jpg\n../c.jpg\n/d.jpg\nfile:///e%20f.jpg\nfile://localhost/g.jpg\nHTTP://x/h\n~/i"

    assert uris(write(tmp_path, "m.txt", lines)) == [
        f"{tmp_path}/a.jpg",
        f"{tmp_path}/b.jpg",
        f"{tmp_path.parent}/c.jpg",
        "/d.jpg",
        "/e f.jpg",
        "/g.jpg",
        "HTTP://x/h",
        f"{tmp_path}/~/i",
    ]


def test_lines_may_end_as_on_windows_and_blank_ones_are_skipped(tmp_path: Path) -> None:
    assert uris(write(tmp_path, "m.txt", b"\xef\xbb\xbf/a.jpg\r\n\r\n  \n/b.jpg\n\n/c d.jpg")) == [
        "/a.jpg",
        "/b.jpg",
        "/c d.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.txt", b"/a\xff.jpg\n/b\0.jpg\n/ok.jpg\n"),
        ("m.csv", b'uri\n/a\xff.jpg\n""\n/ok.jpg\n'),
        ("m.tsv", b"id\turi\n1\t/a\xff.jpg\n2\t\n3\t/ok.jpg\n"),
        ("m.jsonl", b'"/a\xff.jpg"\n"/b\\u0000.jpg"\n{"uri": null}\n"/\\ud800"\n"/ok.jpg"\n'),
    ],
)
def test_a_reference_that_cannot_be_stored_becomes_an_invalid_one(
    tmp_path: Path, name: str, content: bytes
) -> None:
    *odd, last = uris(write(tmp_path, name, content))

    assert odd[0] == r"invalid:/a\udcff.jpg"
    assert all(uri.startswith("invalid:") for uri in odd)
    assert last == "/ok.jpg"


def test_parquets_nulls_and_undecodable_rows_are_invalid_references(tmp_path: Path) -> None:
    raw = pa.array([b"/a\xff", None, b"/ok.jpg"], pa.binary())
    broken_text = pa.StringArray.from_buffers(3, *raw.buffers()[1:], raw.buffers()[0])
    pq.write_table(pa.table({"uri": broken_text}), tmp_path / "m.parquet")

    assert uris(tmp_path / "m.parquet") == [r"invalid:/a\udcff", "invalid:", "/ok.jpg"]


def test_an_id_that_cannot_be_stored_is_written_out(tmp_path: Path) -> None:
    content = b'{"uri": "/a", "id": "x\\u0000\\udc80"}\n{"uri": "/a", "id": "\xff"}'

    found = read(write(tmp_path, "m.jsonl", content), options=SourceOptions(id_column="id"))
    assert [each.custom_id for each in found] == [r"x\x00\udc80", r"\udcff"]


def test_the_manifests_own_folder_may_have_undecodable_bytes(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / "m.txt").write_text("a.jpg\n/b.jpg")

    assert uris(folder / "m.txt") == ["invalid:a.jpg", "/b.jpg"]


@pytest.mark.parametrize("name", ["uri", "URL", "Path", "image", "image_path", "filename"])
def test_the_references_column_is_found_by_its_usual_names(tmp_path: Path, name: str) -> None:
    assert uris(write(tmp_path, "m.csv", f"id,{name}\n1,/a.jpg\n")) == ["/a.jpg"]
    assert uris(write(tmp_path, "m.jsonl", json.dumps({"id": 1, name: "/a.jpg"}))) == ["/a.jpg"]


def test_the_first_usual_name_wins(tmp_path: Path) -> None:
    assert uris(write(tmp_path, "m.csv", "file,url,uri\n/c,/b,/a\n")) == ["/a"]


def test_ids_are_read_only_from_a_column_that_was_named(tmp_path: Path) -> None:
    path = write(tmp_path, "m.csv", "id,uri\n7,/a.jpg\n,/b.jpg\n")

    assert [found.custom_id for found in read(path)] == [None, None]
    named = read(path, options=SourceOptions(id_column="id"))
    assert [found.custom_id for found in named] == ["7", None]


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.csv", "a,b\n1,2\n"), ("m.tsv", "a\tb\n1\t2\n"), ("m.jsonl", '{"a": 1, "b": 2}\n')],
)
def test_a_wrong_column_is_refused_with_the_columns_that_there_are(
    tmp_path: Path, name: str, content: str
) -> None:
    path = write(tmp_path, name, content)

    assert "its columns: 'a', 'b'" in early_refusal(path)
    assert "--uri-column" in early_refusal(path)
    assert "no column 'x'; its columns: 'a', 'b'" in early_refusal(path, options=SourceOptions("x"))
    assert "no column 'x'" in refusal(
        write(tmp_path, "n.csv", "uri\n/a\n"), options=SourceOptions(id_column="x")
    )


def test_a_wrong_column_of_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"a": [1], "uri": [2.5], "image": [{"bytes": b""}]}), path)

    assert "no column 'x'; its columns: 'a', 'uri', 'image'" in early_refusal(
        path, options=SourceOptions("x")
    )
    assert "'uri' holds double, not text" in early_refusal(path)
    assert "'image' holds struct" in early_refusal(path, options=SourceOptions("image"))
    assert "'uri' holds double" in early_refusal(path, options=SourceOptions("uri", "uri"))


def test_parquets_ids_may_be_numbers_and_its_texts_may_be_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    uri = pa.array(["/a", "/b", "/a"]).dictionary_encode()
    pq.write_table(pa.table({"uri": uri, "n": pa.array([1, None, 2**62])}), path)

    assert read(path, options=SourceOptions(id_column="n")) == [
        Reference("/a", "1"),
        Reference("/b", None),
        Reference("/a", str(2**62)),
    ]


def test_json_ids_may_be_numbers(tmp_path: Path) -> None:
    content = '{"uri": "/a", "n": 12}\n{"uri": "/b", "n": 1.5}\n{"uri": "/c", "n": null}'

    found = read(write(tmp_path, "m.jsonl", content), options=SourceOptions(id_column="n"))
    assert [each.custom_id for each in found] == ["12", "1.5", None]


def test_a_signed_url_in_the_place_of_a_header_is_not_told(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "m.csv", "https://h/a.jpg?X-Signature=s3cr3t\n"))

    assert "s3cr3t" not in message
