"""The cores that a process may use, also in a container with a limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers.cores import count_cores


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def count(folder: Path, own: str, files: dict[str, str]) -> int:
    """Count with these files where control groups are mounted, and these own groups."""
    for name, text in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (folder / "own").write_text(own)
    return count_cores(folder / "groups", folder / "own")


def test_without_a_limit_it_is_those_that_the_scheduler_allows(tmp_path: Path) -> None:
    assert count(tmp_path, "", {}) == 16
    assert count(tmp_path, "0::/a\n", {"a/cpu.max": "max 100000"}) == 16


@pytest.mark.parametrize(("quota", "cores"), [(250_000, 3), (20_000, 1), (9_900_000, 16)])
def test_a_limit_counts_rounded_up(tmp_path: Path, quota: int, cores: int) -> None:
    assert count(tmp_path, "0::/\n", {"cpu.max": f"{quota} 100000"}) == cores


def test_a_limit_of_a_group_around_its_own_counts(tmp_path: Path) -> None:
    files = {"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}
    assert count(tmp_path, "0::/a/b\n", files) == 4


def test_in_a_container_with_names_from_outside_the_mount_itself_counts(tmp_path: Path) -> None:
    assert count(tmp_path, "0::/docker/abc\n", {"cpu.max": "200000 100000"}) == 2


@pytest.mark.parametrize(("quota", "cores"), [(300_000, 3), (-1, 16)])
def test_the_older_files_count_too(tmp_path: Path, quota: int, cores: int) -> None:
    own = "4:memory:/m\n2:cpu,cpuacct:/a\n0::/\n"
    files = {"cpu/a/cpu.cfs_quota_us": f"{quota}", "cpu/a/cpu.cfs_period_us": "100000"}
    assert count(tmp_path, own, files) == cores


def test_what_cannot_be_read_is_no_limit(tmp_path: Path) -> None:
    assert count(tmp_path, "0::/\n", {"cpu.max": "nonsense"}) == 16
    assert count_cores(tmp_path / "nowhere", tmp_path / "nothing") == 16
