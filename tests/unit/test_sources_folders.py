from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from other_user import public_folder, without_root
from source_helpers import DEFAULT, below, touch, uris

from pipeline.errors import SourceError
from pipeline.sources import check_sources, folders


def test_pictures_come_recursively_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "c.jpg", "b/z.png", "b/a.JPG", "a.webp", "b.gif", "b/y/x.tiff", "B.jpeg")

    assert uris(tmp_path) == below(
        tmp_path, "B.jpeg", "a.webp", "b/a.JPG", "b/y/x.tiff", "b/z.png", "b.gif", "c.jpg"
    )


def test_only_an_images_suffix_counts_in_any_case(tmp_path: Path) -> None:
    wanted = [f"a.{suffix}" for suffix in ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif")]
    wanted += ["a.bmp", "a.dib", "a.tif", "a.tiff", "b.JPG", "b.Tiff", ".hidden.png"]
    touch(tmp_path, *wanted, "notes.txt", "a.jpg.bak", "jpg", "a.csv", ".DS_Store")

    assert set(uris(tmp_path)) == set(below(tmp_path, *wanted))


def test_a_macs_attribute_files_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "._a.jpg", "a.jpg")

    assert uris(tmp_path) == below(tmp_path, "a.jpg")


def test_what_will_fail_is_not_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "empty.jpg").mkdir()
    touch(tmp_path, "notes.jpg/readme.md")

    assert uris(tmp_path) == below(
        tmp_path, "dangling.jpg", "device.jpg", "empty.jpg", "notes.jpg", "pipe.jpg"
    )


def test_a_subfolder_with_an_images_suffix_is_walked(tmp_path: Path) -> None:
    touch(tmp_path, "album.jpg/deep/a.jpg", "b.jpg")

    assert uris(tmp_path) == below(tmp_path, "album.jpg/deep/a.jpg", "b.jpg")


def test_links_to_files_are_taken_and_links_to_folders_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "sub/loop").symlink_to(tmp_path)

    assert uris(tmp_path) == below(tmp_path, "a.jpg", "link.jpg", "sub/b.jpg")


def test_a_folder_without_pictures_yields_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "sub/notes.txt")

    check_sources([str(tmp_path)], DEFAULT)
    assert uris(tmp_path) == []


def test_a_subfolder_that_cannot_be_listed_stops_in_a_sentence() -> None:
    with public_folder() as folder:
        touch(folder, "a.jpg", "locked/b.jpg")
        (folder / "locked").chmod(0)
        with without_root(), pytest.raises(SourceError, match="locked cannot be listed"):
            uris(folder)


def test_a_tree_deeper_than_pythons_stack_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "/top" + "/d" * (2 * sys.getrecursionlimit())
    listing = {deep: [("a.jpg", False)]}
    monkeypatch.setattr(folders, "list_folder", lambda path: listing.get(path, [("d", True)]))

    assert list(folders.iterate_folder("/top")) == [f"{deep}/a.jpg"]


def test_a_name_of_undecodable_bytes_becomes_an_invalid_reference(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.jpg")).touch()

    assert uris(tmp_path) == [rf"invalid:{tmp_path}/\udcff.jpg"]
