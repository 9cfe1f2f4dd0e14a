from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from other_user import public_folder, without_root
from source_helpers import DEFAULT, below, early_refusal, touch, uris

from pipeline.errors import SourceError
from pipeline.records import Reference
from pipeline.sources import SourceOptions, check_sources, read_sources, sources_hash


def test_sources_are_read_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "folder/c.jpg", "folder/a.jpg")
    (tmp_path / "list.txt").write_text("z.jpg\n")

    assert uris(tmp_path / "list.txt", tmp_path / "folder", "s3://x/y.jpg", tmp_path / "b.jpg") == [
        *below(tmp_path, "z.jpg", "folder/a.jpg", "folder/c.jpg"),
        "s3://x/y.jpg",
        str(tmp_path / "b.jpg"),
    ]


def test_a_relative_source_starts_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    monkeypatch.chdir(tmp_path / "sub")

    assert uris("../a.jpg", ".") == below(tmp_path, "a.jpg", "sub/b.jpg")


def test_a_file_is_taken_whatever_its_suffix_is(tmp_path: Path) -> None:
    touch(tmp_path, "picture", "b.data")

    assert uris(tmp_path / "picture", tmp_path / "b.data") == below(tmp_path, "picture", "b.data")


def test_a_link_is_not_resolved(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert uris(tmp_path / "link", tmp_path / "link/a.jpg") == [str(tmp_path / "link/a.jpg")] * 2


def test_a_dangling_link_fails_later_and_not_the_whole_job(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone")

    check_sources([str(tmp_path / "a.jpg")], DEFAULT)
    assert uris(tmp_path / "a.jpg") == below(tmp_path, "a.jpg")


def test_a_file_url_is_a_plain_path(tmp_path: Path) -> None:
    touch(tmp_path, "a b.jpg")

    for host in ("", "localhost"):
        assert uris(f"file://{host}{tmp_path}/a%20b.jpg") == below(tmp_path, "a b.jpg")
    assert uris(f"file://{tmp_path}") == below(tmp_path, "a b.jpg")


def test_a_missing_source_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for name in ("missing.jpg", "missing", "missing.csv", "missing.parquet"):
        assert f"there is no {tmp_path / name}" in early_refusal(tmp_path / name)


def test_no_source_and_an_empty_source_are_refused() -> None:
    with pytest.raises(SourceError, match="no source is given"):
        check_sources([], DEFAULT)
    assert "empty" in early_refusal("")


def test_what_may_not_be_looked_at_is_refused() -> None:
    with public_folder() as folder:
        touch(folder, "locked/a.jpg", "locked/b.csv", "c.csv")
        (folder / "locked").chmod(0o700)
        (folder / "c.csv").chmod(0o600)
        with without_root():
            if os.geteuid() != folder.stat().st_uid:
                assert "permission denied" in early_refusal(folder / "locked/a.jpg")
                assert "Permission denied" in early_refusal(folder / "locked")
                assert "Permission denied" in early_refusal(folder / "c.csv")


class TestFilters:
    @pytest.mark.parametrize(
        ("include", "exclude", "left"),
        [
            (("*.jpg",), (), "a.jpg sub/b.jpg"),
            (("*.jpg", "c.*"), (), "a.jpg sub/b.jpg sub/c.png"),
            ((), ("b.*",), "a.jpg sub/c.png"),
            (("*/sub/*",), ("*.png",), "sub/b.jpg"),
            (("*.JPG",), (), ""),
            ((), ("*",), ""),
        ],
    )
    def test_a_pattern_is_for_the_whole_uri_or_its_last_part(
        self, tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], left: str
    ) -> None:
        touch(tmp_path, "a.jpg", "sub/b.jpg", "sub/c.png")
        options = SourceOptions(include=include, exclude=exclude)

        assert uris(tmp_path, options=options) == below(tmp_path, *left.split())

    def test_a_urls_last_part_is_without_its_query(self) -> None:
        options = SourceOptions(include=("*.jpg",))
        signed = "https://host/a.jpg?sig=1/2"

        assert (
            uris(signed, "https://host/b.png?x.jpg#c", options=options)
            == [
                signed,
                "https://host/b.png?x.jpg#c",
            ][:1]
        )

    def test_manifests_are_filtered_too(self, tmp_path: Path) -> None:
        (tmp_path / "m.txt").write_text("a.jpg\nb.png\n")

        options = SourceOptions(exclude=("*.png",))
        assert uris(tmp_path / "m.txt", options=options) == below(tmp_path, "a.jpg")


class TestStdin:
    def test_lines_are_references_relative_to_the_working_folder(self) -> None:
        stdin = io.BytesIO(b"\xef\xbb\xbfa.jpg\r\n\n/b.jpg\nhttp://x/c.jpg")

        assert [found.uri for found in read_sources(["-"], DEFAULT, stdin)] == [
            str(Path.cwd() / "a.jpg"),
            "/b.jpg",
            "http://x/c.jpg",
        ]

    def test_text_streams_are_read_by_their_bytes_if_they_have_any(self) -> None:
        wrapped = io.TextIOWrapper(io.BytesIO(b"/\xff.jpg\n"), encoding="ascii")

        assert list(read_sources(["-"], DEFAULT, wrapped)) == [Reference(r"invalid:/\udcff.jpg")]
        assert list(read_sources(["-"], DEFAULT, io.StringIO("/a.jpg\n"))) == [Reference("/a.jpg")]

    def test_it_is_not_read_by_the_check(self) -> None:
        check_sources(["-"], DEFAULT)

    def test_none_and_a_closed_one_are_refused(self) -> None:
        closed = io.BytesIO()
        closed.close()
        for stdin in (None, closed):
            with pytest.raises(SourceError, match="standard input"):
                list(read_sources(["-"], DEFAULT, stdin))


class TestHash:
    def test_the_same_sources_have_the_same_hash_from_anywhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        relative = sources_hash(["a", "-", "s3://x/y"], DEFAULT)
        monkeypatch.chdir("/")

        assert sources_hash([str(tmp_path / "a"), "-", "s3://x/y"], DEFAULT) == relative
        assert sources_hash([f"file://{tmp_path}/a", "-", "s3://x/y"], DEFAULT) == relative
        assert len(relative) == 64

    def test_other_sources_order_or_options_have_another(self) -> None:
        options = [
            DEFAULT,
            SourceOptions("a"),
            SourceOptions(None, "a"),
            SourceOptions(include=("a",)),
            SourceOptions(exclude=("a",)),
        ]
        lists = [["/a", "/b"], ["/b", "/a"], ["/a"], ["/a/b"], ["-"], ["/-"]]
        hashes = [sources_hash(each, DEFAULT) for each in lists]
        hashes += [sources_hash(["/x"], each) for each in options]

        assert len(set(hashes)) == len(hashes)

    def test_neither_contents_nor_existence_count(self, tmp_path: Path) -> None:
        before = sources_hash([str(tmp_path / "a.txt")], DEFAULT)
        (tmp_path / "a.txt").write_text("x")

        assert sources_hash([str(tmp_path / "a.txt")], DEFAULT) == before


def test_columns_without_a_table_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for source in (str(tmp_path), "-"):
        with pytest.raises(SourceError, match="no source here has a column 'sku'"):
            check_sources([source], SourceOptions(id_column="sku"))
