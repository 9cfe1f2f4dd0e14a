"""The layout of an engine on machines of several kinds."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import pytest
import torch

from pipeline.config import load_settings
from pipeline.errors import UsageError
from workers import memory
from workers.devices import find_device
from workers.engine.layout import plan_layout
from workers.tuning.choice import Choice


def a_choice(**changed: int) -> Choice:
    return replace(Choice("torch", 8, 2, 16, 2, "for the test"), **changed)  # type: ignore[arg-type]


def test_an_engine_is_laid_out_as_chosen_and_as_set() -> None:
    settings = load_settings(max_wait_ms=7.5, image_timeout_s=9)
    plan = plan_layout(a_choice(), settings)
    assert (plan.max_batch, plan.loaders, plan.piece, plan.streams) == (8, 2, 16, 2)
    assert (plan.max_wait_ms, plan.image_timeout_s) == (7.5, 9)


def test_there_is_always_room_for_work_on_both_sides_of_the_batcher() -> None:
    plan = plan_layout(a_choice(max_batch=1, loaders=1), load_settings())
    assert plan.room >= 2 * plan.piece + 2 * plan.max_batch


def test_a_device_that_is_not_there_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="--device cuda:99.*try --device cpu"):
        find_device("cuda:99")
    assert find_device("cpu") == torch.device("cpu")


def test_a_c_library_without_mallopt_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.keep_memory()
