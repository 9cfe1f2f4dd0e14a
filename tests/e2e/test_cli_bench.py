"""The bench by the command: what it finds, and what it refuses before it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import Run

STAGES = ["read", "decode", "resize", "transfer", "forward", "store"]


@pytest.fixture(scope="module")
def found(imagemill: Run, folder: Path) -> dict[str, Any]:
    """What one quick round over pictures finds, of which five are broken."""
    from workers.demo.drawing import write_broken_pictures, write_pictures

    write_pictures(folder / "bench", count=12, seed=8)
    write_broken_pictures(folder / "bench")
    words = ("--images", 32, "--rounds", 1, "--no-peers", "--json")
    done = imagemill("bench", folder / "bench", *map(str, words), IMAGEMILL_MAX_BATCH="4")
    assert done.returncode == 0, done.stderr
    assert "round 1 of 1" in done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_it_measures_every_stage_alone(found: dict[str, Any]) -> None:
    assert [stage["name"] for stage in found["stages"]] == STAGES
    for stage in found["stages"]:
        assert 0 < stage["core_s"]["lowest"] <= stage["core_s"]["median"]


def test_the_bound_is_what_the_stages_give(found: dict[str, Any]) -> None:
    together_s = sum(stage["core_s"]["median"] for stage in found["stages"])
    assert found["bound"]["limit"] == "the cores"
    assert found["bound"]["images_per_s"] == pytest.approx(found["cores"] / together_s)


def test_it_measures_the_whole_against_the_bound(found: dict[str, Any]) -> None:
    (ours,) = found["rates"]
    assert ours["name"] == "imagemill"
    assert ours["images_per_s"]["median"] > 0
    share = ours["images_per_s"]["median"] / found["bound"]["images_per_s"]
    assert ours["share_of_bound"] == pytest.approx(share)


def test_it_says_what_it_measured_and_with_which_layout(found: dict[str, Any]) -> None:
    assert (found["images"], found["different"], found["left_out"]) == (32, 12, 5)
    assert found["choice"]["max_batch"] == 4
    assert found["choice"]["why"]
    assert (found["weights"], found["precision"], found["device"]) == ("demo", "auto", "cpu")
    assert found["agreement"] == {"images": 12, "same": 12}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("no-such-folder", "no-such-folder is no folder"),
        ("--chart bench.jpg", "a name that ends in .png"),
        ("--chart nowhere/bench.png", "there is no such folder"),
        ("--images 3", "--images"),
    ],
)
def test_what_cannot_work_is_refused_at_once(imagemill: Run, words: str, sentence: str) -> None:
    done = imagemill("bench", *words.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr.splitlines()[-1]
