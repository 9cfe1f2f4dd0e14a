"""Prefixes, globs, manifests and archives in a real S3 store."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_helpers import LIMITS, failure_of, pack_tar, pack_zip
from s3_server import Bucket
from services import find_free_port
from source_helpers import DEFAULT, below, early_refusal, read, refusal, touch, uris

from pipeline.archives import facts_of, read_member
from pipeline.sources import SourceOptions, check_sources, list_folder_sources, read_sources
from pipeline.stores import read_object
from pipeline.stores.opening import close_stores

pytest_plugins = ["s3_fixtures"]

COUNT = 2500


@pytest.fixture(scope="module")
def many(shared_bucket: Bucket) -> list[str]:
    """The keys of more pictures than a page of a listing holds, sorted."""
    keys = sorted(f"many/{n % 7}/{n:05}.jpg" for n in range(COUNT))
    shared_bucket.put({key: key.encode() for key in keys})
    shared_bucket.put({"many/3/list.json": b"{}", "many/3/._x.jpg": b"", "manyfold/x.jpg": b""})
    return keys


class TestPrefixes:
    def test_a_prefix_is_the_images_below_it_page_after_page(
        self, bucket: Bucket, many: list[str]
    ) -> None:
        expected = [bucket.at(key) for key in many]

        assert uris(bucket.at("many/")) == expected
        assert uris(bucket.at("many")) == expected  # no object of that name
        assert uris(bucket.at("many/3/")) == [uri for uri in expected if "/3/" in uri]

    def test_the_listing_says_what_reading_says(self, bucket: Bucket, many: list[str]) -> None:
        for reference in read(bucket.at("many/"))[::500]:
            fetched = read_object(reference.uri, LIMITS)
            assert reference.facts
            assert (reference.facts.size, reference.facts.version) == (
                len(fetched.data),
                fetched.version,
            )

    def test_a_whole_bucket_is_a_prefix(self, bucket: Bucket, many: list[str]) -> None:
        options = SourceOptions(include=("*/many/*",))
        for name in ("s3://pictures", "s3://pictures/"):
            assert len(uris(name, options=options)) == COUNT

    def test_its_memory_is_that_of_a_page(self, bucket: Bucket, many: list[str]) -> None:
        uris(bucket.at("many/0/"))
        tracemalloc.start()
        try:
            stream = read_sources([bucket.at("many/")], DEFAULT)
            next(stream)
            _, first = tracemalloc.get_traced_memory()
            assert sum(1 for _ in stream) == COUNT - 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2 * first

    def test_it_is_no_folder_of_this_machine(self, bucket: Bucket, many: list[str]) -> None:
        assert list_folder_sources([bucket.at("many/"), bucket.at("many/*")]) == []


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("g/*.jpg", "g/a.jpg g/b.jpg"),
        ("g/*", "g/a.jpg g/b.jpg g/note.txt g/sub/c.jpg"),
        ("g/**/*.jpg", "g/a.jpg g/b.jpg g/sub/c.jpg"),
        ("g/**", "g/.hidden/d.jpg g/a.jpg g/b.jpg g/sub/c.jpg"),
        ("g/[ab].jpg", "g/a.jpg g/b.jpg"),
        ("g/{a,b}.jpg", "g/a.jpg g/b.jpg"),
        ("g/s*", "g/sub/c.jpg"),
        ("g/s*/", "g/sub/c.jpg"),
        ("g/.h*/*", "g/.hidden/d.jpg"),
    ],
)
def test_a_glob_means_what_it_means_on_a_disk(
    bucket: Bucket, tmp_path: Path, pattern: str, keys: str
) -> None:
    names = ("a.jpg", "b.jpg", "note.txt", "sub/c.jpg", "sub/c.txt", ".hidden/d.jpg")
    bucket.put({f"g/{name}": name.encode() for name in names})
    touch(tmp_path, *(f"g/{name}" for name in names))

    assert uris(bucket.at(pattern)) == [bucket.at(key) for key in keys.split()]
    assert uris(tmp_path / pattern) == below(tmp_path, *keys.split())


class TestWhatIsRefusedBeforeThereIsAJob:
    @pytest.mark.parametrize(
        ("uri", "words"),
        [
            ("s3://no-such-bucket/x/", "there is no such bucket"),
            ("s3://no-such-bucket/*.jpg", "there is no such bucket"),
            ("s3://no-such-bucket/m.csv", "cannot be read: there is no such"),
            ("s3://no-such-bucket/m.tar", "cannot be read: there is no such"),
            ("s3://pictures/no/such/", "there is nothing in the store at"),
            ("s3://pictures/no/such/*.jpg", "there is nothing in the store at"),
            ("s3://pictures/none.parquet", "there is no such object"),
            ("s3://pict*/x.jpg", "after the bucket"),
            ("s3://pictures/a.tar.gz", "unpack it"),
        ],
    )
    def test_what_is_not_there(self, bucket: Bucket, uri: str, words: str) -> None:
        assert words in early_refusal(uri)

    def test_an_object_that_is_not_there(self, bucket: Bucket) -> None:
        for uri in (bucket.at("none.jpg"), "s3://no-such-bucket/a.jpg"):
            with pytest.raises(Exception, match="there is no such object"):
                check_sources([uri], DEFAULT)

    def test_wrong_credentials(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        close_stores()
        assert "refuses these credentials" in early_refusal(bucket.at("many/"))

    def test_a_store_that_is_down(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{find_free_port()}")
        close_stores()
        assert "the store cannot be reached" in early_refusal(bucket.at("many/"))


class TestManifests:
    def test_relative_references_start_at_its_folder(self, bucket: Bucket) -> None:
        text = "a.jpg\n./b c.jpg\n../up.jpg\n../../../out.jpg\n/local.jpg\nhttps://h/x.jpg\n"
        bucket.put({"m/sub/list.txt": text.encode(), "m/sub/z.txt.gz": gzip.compress(b"a.jpg")})

        assert uris(bucket.at("m/sub/list.txt")) == [
            *map(bucket.at, ("m/sub/a.jpg", "m/sub/b c.jpg", "m/up.jpg", "out.jpg")),
            "/local.jpg",
            "https://h/x.jpg",
        ]
        assert uris(bucket.at("m/sub/z.txt.gz")) == [bucket.at("m/sub/a.jpg")]

    def test_parquet_is_read_by_ranges(self, bucket: Bucket, tmp_path: Path) -> None:
        table = pa.table({"uri": [f"{n}.jpg" for n in range(5000)], "id": list(range(5000))})
        pq.write_table(table, tmp_path / "m.parquet")
        uri = bucket.put_file("m/m.parquet", tmp_path / "m.parquet")

        found = read(uri, options=SourceOptions(id_column="id"))
        assert [r.uri for r in found] == [bucket.at(f"m/{n}.jpg") for n in range(5000)]
        assert found[-1].custom_id == "4999"
        check_sources([uri], SourceOptions(id_column="id"))


class TestArchives:
    def test_members_are_read_alone(self, bucket: Bucket, tmp_path: Path) -> None:
        members = [(f"d/{n}.jpg", bytes([n]) * 50_000) for n in range(40)]
        tar = pack_tar(tmp_path / "a#1.tar", members)
        packed = pack_zip(tmp_path / "a.zip", members)
        for path, start in (
            (tar, "tar+s3://pictures/ar/a%231.tar#"),
            (packed, "zip+s3://pictures/ar/a.zip#"),
        ):
            found = read(bucket.put_file(f"ar/{path.name}", path))
            assert [r.uri for r in found] == [start + name for name, _ in members]
            for reference, (_, data) in zip(found, members, strict=True):
                fetched = read_member(reference.uri, LIMITS)
                assert fetched.data == data
                assert reference.facts
                assert fetched.version == reference.facts.version
                assert facts_of(reference.uri, LIMITS) == reference.facts

    def test_shards_by_braces_and_by_glob(self, bucket: Bucket, tmp_path: Path) -> None:
        for n in range(3):
            bucket.put_file(f"sh/s-{n:03}.tar", pack_tar(tmp_path / f"{n}.tar", [("x.jpg", b"x")]))

        shards = [f"tar+s3://pictures/sh/s-{n:03}.tar#x.jpg" for n in range(3)]
        assert uris(bucket.at("sh/s-{000..002}.tar")) == shards
        assert uris(bucket.at("sh/*.tar")) == shards
        assert uris(bucket.at("sh/")) == []  # a prefix opens no archives

    def test_one_that_is_replaced_while_it_is_read_is_tried_again(
        self, bucket: Bucket, tmp_path: Path
    ) -> None:
        uri = "tar+s3://pictures/re/a.tar#x.jpg"
        bucket.put_file("re/a.tar", pack_tar(tmp_path / "a.tar", [("x.jpg", b"old")]))
        assert read_member(uri, LIMITS).data == b"old"
        bucket.put_file(
            "re/a.tar", pack_tar(tmp_path / "b.tar", [("w.jpg", b""), ("x.jpg", b"new")])
        )

        failure = failure_of(read_member, uri)
        assert (failure.code, failure.retryable) == ("connect_error", True)
        assert read_member(uri, LIMITS).data == b"new"

    def test_what_is_not_there_has_its_code(self, bucket: Bucket) -> None:
        assert failure_of(read_member, "tar+s3://pictures/none.tar#x").code == "not_found"
        assert failure_of(read_member, "tar+s3://no-such-bucket/a.tar#x").code == "not_found"
        bucket.put({"ar/no.tar": b"x" * 5000})
        assert failure_of(read_member, "tar+s3://pictures/ar/no.tar#x").code == "truncated"
        assert "is broken" in refusal(bucket.at("ar/no.tar"))
