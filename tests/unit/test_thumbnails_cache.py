"""The thumbnails' cache: within its limit, for this user alone, and never in anybody's way."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from other_user import public_folder, without_root

from pipeline.thumbnails.cache import Cache


def jpeg(size: int = 100) -> bytes:
    return b"\xff\xd8" + bytes(size - 4) + b"\xff\xd9"


def key(number: int) -> str:
    return f"{number:064x}"[::-1]


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def find_file(folder: Path, number: int) -> Path:
    (path,) = folder.rglob(f"{key(number)}*")
    return path


def test_what_is_kept_is_found_again_by_another_cache(tmp_path: Path) -> None:
    Cache(tmp_path / "new" / "folder", 1000).keep(key(1), jpeg())

    assert Cache(tmp_path / "new" / "folder", 1000).find(key(1)) == jpeg()
    assert Cache(tmp_path / "new" / "folder", 1000).find(key(2)) is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Cache(tmp_path / "cache", 1000).keep(key(1), jpeg())

    paths = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in paths]
    assert modes == [0o700, 0o700, 0o600]


def test_the_limit_holds_and_what_nobody_looks_at_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    long_ago = time.time() - 10_000
    for number in range(10):
        cache.keep(key(number), jpeg())
        os.utime(find_file(tmp_path, number), (long_ago + number, long_ago + number))
    assert cache.find(key(0)) is not None

    for number in range(10, 100):
        cache.keep(key(number), jpeg())
        assert used(tmp_path) <= 1000
        if number == 14:
            assert cache.find(key(0)) is not None
            assert cache.find(key(1)) is None


def test_a_cache_that_finds_too_much_at_its_start_makes_room(tmp_path: Path) -> None:
    large = Cache(tmp_path, 100_000)
    for number in range(50):
        large.keep(key(number), jpeg())

    Cache(tmp_path, 1000).keep(key(99), jpeg())
    assert used(tmp_path) <= 1000


def test_it_lists_its_folder_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listings: list[Path] = []
    scandir = os.scandir

    def note(path: Path) -> object:
        listings.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", note)
    cache = Cache(tmp_path, 10_000)

    for number in range(300):
        cache.keep(key(number), jpeg())
    assert 0 < listings.count(tmp_path) <= 1 + 200 // 10 + 1


def test_without_a_limit_nothing_is_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 0)
    cache.keep(key(1), jpeg())

    assert cache.find(key(1)) is None
    assert not (tmp_path / "cache").exists()


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 50)
    cache.keep(key(1), jpeg())

    assert cache.find(key(1)) is None


def test_a_file_that_lost_its_bytes_is_not_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    cache.keep(key(1), jpeg())
    os.truncate(find_file(tmp_path, 1), 50)

    assert cache.find(key(1)) is None
    cache.keep(key(1), jpeg())
    assert cache.find(key(1)) == jpeg()


def test_a_folder_that_cannot_be_written_means_no_cache() -> None:
    with public_folder() as folder, without_root():
        cache = Cache(folder / "cache", 1000)
        cache.keep(key(1), jpeg())
        assert cache.find(key(1)) is None


def test_a_file_in_the_place_of_the_folder_means_no_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cache = Cache(tmp_path / "cache", 1000)
    cache.keep(key(1), jpeg())

    assert cache.find(key(1)) is None


def test_a_full_disk_means_no_cache_and_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdopen", lambda *_: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
        cache.keep(key(1), jpeg())

    assert cache.find(key(1)) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
