from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_helpers import DEFAULT, early_refusal, refusal, uris, write

from pipeline.errors import SourceError
from pipeline.sources import SourceOptions, check_sources, read_sources


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", b'uri\n/a\n"/b\n/c\n', "line 4: unexpected end of data"),
        ("m.csv", b'uri\n"/a" x\n', "line 2: "),
        ("m.csv", b"uri\n/a\n/b\0\n", "line 3 holds a NUL"),
        ("m.csv", b"id,uri\n1,/a\n2\n", "line 3 has 1 of 2 cells; 'uri' is number 2"),
        ("m.csv", b"uri\n" + b"x" * 140_000, "line 2: field larger than field limit"),
        ("m.csv", b"uri,id\n/a,1\n/b,c,2\n", "line 3 has 3 cells, but there are 2 columns"),
        ("m.csv", b"uri,uri\n/a,/b\n", "two columns 'uri'"),
        ("m.csv", b"", "is empty"),
        ("m.csv", b"\n\n", "is empty"),
        ("m.csv", "uri\n/a\n".encode("utf-16"), "UTF-16"),
        ("m.txt", "/a\n".encode("utf-16-be"), "none"),
        ("m.txt", b"/a\n" + b"x" * 2**21, "line 2 is longer than"),
        ("m.jsonl", b'"/a"\n{"uri": "/b"\n', "line 2: broken JSON"),
        ("m.jsonl", b'"/a"\n\n{"x": 1}\n', "line 3: it has none of the columns"),
        ("m.jsonl", b'"/a"\n{"uri": 5}\n', "line 2: 'uri' is int, not text"),
        ("m.jsonl", b'"/a"\n["/b"]\n', "line 2: expected an object"),
        ("m.jsonl", b"1" * 5000, "line 1: broken JSON"),
        ("m.jsonl", b"[" * 200_000, "line 1: broken JSON"),
        ("m.parquet", b"", "no sound Parquet file"),
        ("m.parquet", b"PAR1 this is none PAR1", "no sound Parquet file"),
        ("m.csv.gz", b"uri\n/a\n", "broken gzip"),
        ("m.txt.gz", gzip.compress(b"/a\n" * 99_999)[:-40], "broken gzip"),
        ("m.txt.gz", gzip.compress(bytes(range(256)) * 99)[:-300] + b"x" * 300, "broken gzip"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    if words == "none":  # without its mark nothing tells UTF-16 from text with NULs in it
        assert all(uri.startswith("invalid:") for uri in uris(write(tmp_path, name, content)))
    else:
        assert words in refusal(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"uri": "/a"}', "line 2: it has no column 'id'"),
        ('{"uri": "/a", "id": [1]}', "line 2: 'id' is list, not text or a number"),
        ('{"uri": "/a", "id": true}', "line 2: 'id' is bool"),
        ('"/a"', "line 2: expected an object"),
    ],
)
def test_a_wrong_json_id_is_refused_with_its_line(tmp_path: Path, row: str, words: str) -> None:
    path = write(tmp_path, "m.jsonl", f'{{"uri": "/a", "id": 1}}\n{row}\n')

    assert words in refusal(path, options=SourceOptions(id_column="id"))


def test_the_references_before_a_broken_line_are_yielded(tmp_path: Path) -> None:
    references = read_sources([str(write(tmp_path, "m.jsonl", '"/a"\n{'))], DEFAULT)

    assert next(references).uri == "/a"
    with pytest.raises(SourceError, match="line 2"):
        next(references)


def test_a_message_never_quotes_the_line(tmp_path: Path) -> None:
    assert "s3cr3t" not in refusal(write(tmp_path, "m.jsonl", '{"uri": "https://h/?sig=s3cr3t",}'))


def test_parquet_that_breaks_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"uri": [f"/{n}.jpg" for n in range(20_000)]}), path)
    data = bytearray(path.read_bytes())
    data[2000:90_000] = os.urandom(88_000)
    path.write_bytes(data)

    assert "Parquet" in refusal(path)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    for name in ("m.parquet", "m.csv", "m.txt.gz"):
        (tmp_path / name).mkdir()
        assert "is a folder, no manifest" in early_refusal(tmp_path / name)


def test_a_dangling_link_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.csv").symlink_to(tmp_path / "gone.csv")

    assert "cannot be read: No such file" in early_refusal(tmp_path / "m.csv")


def test_suffixes_count_in_any_case(tmp_path: Path) -> None:
    assert uris(write(tmp_path, "M.CSV", "uri\n/a\n")) == ["/a"]
    assert uris(write(tmp_path, "M.TXT.GZ", gzip.compress(b"/a\n"))) == ["/a"]


def test_a_pipe_is_read_once_and_not_by_the_check(tmp_path: Path) -> None:
    pipe = tmp_path / "m.csv"
    os.mkfifo(pipe)
    check_sources([str(pipe)], DEFAULT)
    writer = threading.Thread(target=pipe.write_text, args=("uri\n/a\n",))
    writer.start()

    assert uris(pipe) == ["/a"]
    writer.join()
