"""What a bench shows: a peer without a figure is a row, and the chart is a picture."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipeline.cli import bench
from workers.bench.agreement import Agreement
from workers.bench.bound import Bound
from workers.bench.chart import draw_chart
from workers.bench.report import RateFigures, Report, StageFigures
from workers.bench.spread import Spread
from workers.tuning.choice import Choice

REPORT = Report(
    cpu="a CPU",
    cores=2,
    device="cpu",
    precision="auto",
    weights="demo",
    images=100,
    different=40,
    drawn=False,
    left_out=3,
    rounds=2,
    engine="torch-float32",
    choice=Choice("torch", 8, 1, 8, 2, "it was measured"),
    stages=(StageFigures("forward", "it computes", Spread(0.004, 0.003, 0.005)),),
    bound=Bound(200.0, "the cores"),
    rates=(
        RateFigures("imagemill", Spread(190.0, 180.0, 195.0)),
        RateFigures("the source's loop", Spread(38.0, 37.0, 39.0)),
        RateFigures("Daft's recipe", None, "gave up after 300 s"),
    ),
    agreement=Agreement(40, 39),
)


def test_a_peer_without_a_rate_is_a_row_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    bench._show(REPORT)
    lines = capsys.readouterr().out.splitlines()
    (daft,) = (line for line in lines if line.startswith("Daft's recipe"))
    assert daft.endswith("  gave up after 300 s")


def test_our_rate_is_compared_with_the_bound_and_with_each_peer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench._show(REPORT)
    shown = capsys.readouterr().out
    assert "95.0 %" in shown
    assert "5.00 times" in shown


def test_the_report_is_json_with_the_same_figures() -> None:
    found = json.loads(json.dumps(REPORT.as_dict()))
    assert [rate["ours_is_times"] for rate in found["rates"]] == [1.0, 5.0, None]
    assert found["rates"][2]["reason"] == "gave up after 300 s"
    assert found["bound"] == {"images_per_s": 200.0, "limit": "the cores"}


def test_the_chart_is_higher_with_more_bars(tmp_path: Path) -> None:
    draw_chart(REPORT, tmp_path / "all.png")
    draw_chart(replace(REPORT, rates=REPORT.rates[:1]), tmp_path / "ours.png")
    with Image.open(tmp_path / "all.png") as both, Image.open(tmp_path / "ours.png") as alone:
        assert both.format == "PNG"
        assert both.height > alone.height


def test_without_matplotlib_there_is_a_sentence_and_no_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    bench._check_chart(tmp_path / "bench.png")
    assert "imagemill[bench]" in capsys.readouterr().err
    bench._draw(REPORT, tmp_path / "bench.png")
    assert not (tmp_path / "bench.png").exists()
