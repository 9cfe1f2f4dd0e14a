"""Tuning with the demo's weights: measured for true, remembered, given by hand, or built in."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from pipeline.records import Precision
from workers.classifier.making import list_engines
from workers.cores import count_cores
from workers.tuning import measuring, tuning
from workers.tuning.choice import Choice, Given
from workers.weights import DEMO

CPU = torch.device("cpu")
#: One batch only: each that OpenVINO meets for the first time is compiled.
GIVEN = Given(max_batch=4)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measuring, "_MEASURE_S", 0.02)
    return tmp_path


def tune(
    *, measure: bool, weights: Path = DEMO, given: Given = GIVEN, anew: bool = False
) -> Choice:
    return tuning.tune(weights, None, Precision.AUTO, CPU, measure=measure, given=given, anew=anew)


def test_a_real_measurement_picks_one_of_the_candidates_and_is_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "not measured yet" in tune(measure=False).why
    with caplog.at_level(logging.INFO, "workers.tuning"):
        choice = tune(measure=True)
    assert "measured this machine in " in caplog.text
    assert {rate.engine for rate in choice.measured} == set(list_engines(Precision.AUTO, CPU))
    assert choice.engine == max(choice.measured, key=lambda rate: rate.images_per_s).engine
    assert choice.max_batch == 4
    assert 1 <= choice.loaders <= choice.streams == count_cores()
    assert choice.piece in (1, 2, 4, 8, 16, 32)

    caplog.clear()
    assert tune(measure=True) == tune(measure=False) == choice
    assert "measured this machine" not in caplog.text
    assert tune(measure=True, anew=True).measured != choice.measured


def test_what_is_all_set_by_hand_is_not_measured(home: Path) -> None:
    given = Given("torch", max_batch=5, loaders=3, piece=2)
    choice = tune(measure=True, given=given)
    assert (choice.engine, choice.max_batch, choice.loaders, choice.piece) == ("torch", 5, 3, 2)
    assert choice.why == "all of it was set by hand"
    assert not any(home.iterdir())


def test_measuring_that_fails_is_a_warning_and_the_built_in_layout(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    choice = tune(measure=True, weights=tmp_path / "gone.safetensors")
    assert choice.max_batch == 4
    assert "measuring failed" in choice.why
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot be measured" in caplog.text
