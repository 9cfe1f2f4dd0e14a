"""What was measured is remembered, for the same machine alone, and never in the way."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from workers.tuning import cache
from workers.tuning.measurements import Measurements, Rate

MACHINE = {"cpu": "some", "cores": 2, "versions": {"imagemill": "1.0", "openvino": None}}
FOUND = Measurements((Rate("openvino", 8, 201.5), Rate("torch", 16, 120.25)), 0.0021)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def saved_file() -> Path:
    (path,) = cache.cache_folder().iterdir()
    return path


def test_what_was_saved_is_found_again() -> None:
    assert cache.find(MACHINE) is None
    cache.save(MACHINE, FOUND)
    assert cache.find(MACHINE) == FOUND


def test_the_cache_lies_where_xdg_has_it_or_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache.cache_folder() == tmp_path / "imagemill" / "tuning"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert cache.cache_folder() == tmp_path / "me" / ".cache" / "imagemill" / "tuning"


@pytest.mark.parametrize(
    "other", [{"cores": 4}, {"versions": {"imagemill": "1.1", "openvino": None}}]
)
def test_another_machine_or_version_finds_nothing(other: dict[str, Any]) -> None:
    cache.save(MACHINE, FOUND)
    assert cache.find(MACHINE | other) is None


def test_a_file_that_was_copied_from_another_machine_is_not_believed() -> None:
    cache.save(MACHINE, FOUND)
    text = saved_file().read_text().replace('"cores": 2', '"cores": 3')
    saved_file().write_text(text)
    assert cache.find(MACHINE) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "\x00\xff",
        lambda text: text.replace("201.5", "NaN"),
        lambda text: text.replace("201.5", "-3"),
        lambda text: text.replace('"openvino",', '"abacus",'),
        lambda text: text.replace('"batch": 8', '"batch": null'),
        lambda text: text.replace("rates", "rats"),
    ],
)
def test_a_damaged_file_is_as_none_and_is_written_anew(damage: Any) -> None:
    cache.save(MACHINE, FOUND)
    intact = saved_file().read_text()
    broken = damage(intact)
    assert broken != intact
    saved_file().write_text(broken)
    assert cache.find(MACHINE) is None
    cache.save(MACHINE, FOUND)
    assert cache.find(MACHINE) == FOUND


def test_a_cache_that_cannot_be_written_is_no_error(home: Path) -> None:
    (home / "imagemill").write_text("a file where the folder should be")
    cache.save(MACHINE, FOUND)
    assert cache.find(MACHINE) is None


def test_a_write_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.save(MACHINE, FOUND)
    path = saved_file()
    path.unlink()
    path.mkdir()  # Nothing can be renamed to a folder.
    cache.save(MACHINE, FOUND)
    assert saved_file() == path


def test_two_that_save_at_once_leave_one_whole_file() -> None:
    threads = [threading.Thread(target=cache.save, args=(MACHINE, FOUND)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(saved_file().read_text())["machine"] == MACHINE
    assert cache.find(MACHINE) == FOUND
