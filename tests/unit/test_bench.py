"""The bench's own sums: the bound, the spread, the pictures, and what a peer's answer is worth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from workers.bench.bound import Bound, StageCost, find_bound
from workers.bench.peers.steady import steady_rate
from workers.bench.peers.task import hear
from workers.bench.pictures import Pictures, find_pictures
from workers.bench.spread import Spread


def test_stages_that_share_the_cores_add_up() -> None:
    stages = [StageCost("decode", 0.0015), StageCost("forward", 0.005), StageCost("store", 0.0005)]
    bound = find_bound(stages, cores=2)
    assert bound.images_per_s == pytest.approx(2 / 0.007)
    assert bound.limit == "the cores"


def test_a_device_of_its_own_limits_only_where_it_is_the_slowest() -> None:
    stages = [StageCost("decode", 0.0016), StageCost("forward", 0.0001, 9000.0)]
    assert find_bound(stages, cores=8).limit == "the cores"
    assert find_bound(stages, cores=16) == Bound(9000.0, "forward")


def test_the_spread_is_the_median_and_the_ends() -> None:
    assert Spread.of([3.0, 9.0, 1.0]) == Spread(3.0, 1.0, 9.0)


def test_a_folder_gives_its_first_pictures_and_repeats_them(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "c.jpg", "notes.txt"):
        (tmp_path / name).touch()
    found = find_pictures(tmp_path, 2, tmp_path)
    assert [Path(uri).name for uri in found.uris] == ["a.jpg", "b.png"]
    assert [Path(uri).name[0] for uri in found.repeated(5)] == list("ababa")


def test_a_few_pictures_come_from_all_over_the_folder() -> None:
    pictures = Pictures(tuple(f"/{n}.jpg" for n in range(10)), drawn=False)
    assert pictures.spread_out(4) == ["/0.jpg", "/3.jpg", "/6.jpg", "/9.jpg"]
    assert len(pictures.spread_out(100)) == 10


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no pictures"):
        find_pictures(tmp_path, 2, tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        find_pictures(tmp_path / "gone", 2, tmp_path)


class _Clock:
    """A peer that starts for 5 s and takes 0.1 s for each picture, and 60 s the first time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._start_s = 60.0

    def run(self, pictures: Sequence[str]) -> int:
        self.now += self._start_s + 0.1 * len(pictures)
        self._start_s = 5.0
        return len(pictures)


def test_a_peer_s_start_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    assert steady_rate(clock.run, ["x"] * 100) == pytest.approx(10.0)


def test_a_peer_that_loses_a_picture_has_no_rate() -> None:
    with pytest.raises(ValueError, match="answered 15 of 16"):
        steady_rate(lambda pictures: len(pictures) - 1, ["x"] * 100)


@pytest.mark.parametrize("output", ["", "done\n", "3\n", '{"images": 3}'])
def test_what_is_no_rate_is_none(output: str) -> None:
    with pytest.raises(ValueError):
        hear(output)


def test_the_last_line_of_a_peer_counts() -> None:
    assert hear('warning: slow\n\n{"images_per_s": 12.5}\n') == 12.5
