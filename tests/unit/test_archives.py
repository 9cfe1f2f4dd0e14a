from __future__ import annotations

import os
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from archive_helpers import LIMITS, failure_of, pack_tar, pack_zip
from source_helpers import early_refusal, read, touch, uris

from pipeline.archives import facts_of, is_member, read_member
from pipeline.fetch.limits import FetchLimits
from pipeline.records import FileFacts
from pipeline.sources import SourceOptions, list_folder_sources, read_sources

PICTURES = [("b/2.jpg", b"two"), ("./a/1.PNG", b"one" * 999), ("b/10.webp", b"")]


@pytest.fixture(params=["tar", "gnu", "zip", "stored"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An archive of three pictures and of what is none, packed in each way in turn."""
    members = [*PICTURES, ("b/2.json", b"{}"), ("b/._2.jpg", b"macOS"), ("readme", b"")]
    if request.param in ("tar", "gnu"):
        style = tarfile.PAX_FORMAT if request.param == "tar" else tarfile.GNU_FORMAT
        return pack_tar(tmp_path / "shard #1 100%.tar", members, style)
    method = zipfile.ZIP_STORED if request.param == "stored" else zipfile.ZIP_DEFLATED
    return pack_zip(tmp_path / "shard #1 100%.ZIP", members, method)


class TestASoundArchive:
    def test_its_images_come_in_its_order_by_a_uri_that_leads_back(self, archive: Path) -> None:
        kind = archive.suffix[1:].lower()
        start = f"{kind}://{archive.parent}/shard %231 100%25{archive.suffix}#"

        assert uris(archive) == [start + name for name, _ in PICTURES]
        assert all(map(is_member, uris(archive)))
        assert [read_member(uri, LIMITS).data for uri in uris(archive)] == [d for _, d in PICTURES]

    def test_what_the_listing_says_is_what_reading_and_looking_say(self, archive: Path) -> None:
        for reference in read(archive):
            fetched = read_member(reference.uri, LIMITS)
            assert reference.facts == FileFacts(len(fetched.data), fetched.version)
            assert facts_of(reference.uri, LIMITS) == reference.facts
        assert len({reference.facts for reference in read(archive)}) == len(PICTURES)

    def test_another_archive_in_its_place_is_another_version(self, archive: Path) -> None:
        uri = uris(archive)[0]
        before = read_member(uri, LIMITS).version
        os.utime(archive, ns=(0, 1))

        assert read_member(uri, LIMITS).version != before

    def test_a_manifest_may_list_its_members(self, archive: Path, tmp_path: Path) -> None:
        (tmp_path / "m.txt").write_text("\n".join(uris(archive)))

        assert uris(tmp_path / "m.txt") == uris(archive)

    def test_filters_are_for_the_names_of_members(self, archive: Path) -> None:
        options = SourceOptions(include=("?.*",))
        assert uris(archive, options=options) == uris(archive)[:2]

    def test_many_threads_may_read_it_at_once(self, archive: Path) -> None:
        with ThreadPoolExecutor(16) as pool:
            read_all = pool.map(lambda uri: read_member(uri, LIMITS).data, uris(archive) * 50)
            assert list(read_all) == [data for _, data in PICTURES] * 50


def test_a_glob_opens_archives_and_a_folder_does_not(tmp_path: Path) -> None:
    for name in "ab":
        pack_tar(tmp_path / f"{name}.tar", [("x.jpg", b"x")])
    touch(tmp_path, "c.jpg")

    members = [f"tar://{tmp_path}/{name}.tar#x.jpg" for name in "ab"]
    assert uris(tmp_path / "*") == [*members, str(tmp_path / "c.jpg")]
    assert uris(tmp_path) == [str(tmp_path / "c.jpg")]


def test_the_folder_of_an_archive_is_missed_where_it_is_not(tmp_path: Path) -> None:
    pack_tar(tmp_path / "0.tar", []), pack_tar(tmp_path / "1.tar", [])

    assert list_folder_sources([str(tmp_path / "{0..1}.tar")]) == [str(tmp_path)]


class TestBraces:
    def test_a_range_names_each_shard(self, tmp_path: Path) -> None:
        for number in range(8, 12):
            pack_tar(tmp_path / f"s-{number:04}.tar", [("x.jpg", b"x")])

        shards = [f"tar://{tmp_path}/s-{number:04}.tar#x.jpg" for number in range(8, 12)]
        assert uris(tmp_path / "s-{0008..0011}.tar") == shards
        assert uris(tmp_path / "s-00{08,11}.tar") == [shards[0], shards[-1]]
        assert uris(tmp_path / "s-{0011..0008}.tar") == shards[::-1]

    def test_a_shard_that_is_missing_is_named(self, tmp_path: Path) -> None:
        pack_tar(tmp_path / "0.tar", [])

        assert f"there is no {tmp_path}/1.tar" in early_refusal(tmp_path / "{0..1}.tar")

    def test_a_file_of_that_very_name_is_meant_first(self, tmp_path: Path) -> None:
        touch(tmp_path, "{1..2}.jpg", "1.jpg", "2.jpg")

        assert uris(tmp_path / "{1..2}.jpg") == [str(tmp_path / "{1..2}.jpg")]

    def test_a_million_names_are_the_most(self, tmp_path: Path) -> None:
        assert "1,000,000 are the most" in early_refusal(tmp_path / "{0..999}{0..1000}.tar")
        assert "1,000,000 are the most" in early_refusal(tmp_path / "{0..999999999999}.tar")


def test_a_large_tar_is_listed_at_the_memory_of_one_member(tmp_path: Path) -> None:
    pack_tar(tmp_path / "large.tar", ((f"{n:060}.jpg", b"x") for n in range(5000)))
    assert len(read(tmp_path / "large.tar")) == 5000

    tracemalloc.start()
    try:
        count = sum(1 for _ in read_sources([str(tmp_path / "large.tar")], SourceOptions()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 5000
    assert peak < 300_000


def test_roots_are_for_the_archive(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pack_tar(tmp_path / "out.tar", [("x.jpg", b"x")])
    pack_tar(tmp_path / "in/a.tar", [("../../x.jpg", b"x")])
    (tmp_path / "in/link.tar").symlink_to(tmp_path / "out.tar")
    limits = FetchLimits(max_bytes=9, roots=(tmp_path / "in",))

    assert read_member(f"tar://{tmp_path}/in/a.tar#../../x.jpg", limits).data == b"x"
    for path in ("out.tar", "in/../out.tar", "in/link.tar"):
        uri = f"tar://{tmp_path}/{path}#x.jpg"
        assert failure_of(read_member, uri, limits).code == "blocked_path"
