"""The layout of an engine on machines of several kinds."""

from __future__ import annotations

import ctypes

import pytest
import torch

from pipeline.config import load_settings
from pipeline.errors import UsageError
from workers import memory
from workers.engine import layout
from workers.engine.layout import find_device, plan_layout


def test_a_cpu_gets_small_batches_and_a_stream_for_each_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "count_cores", lambda: 6)
    plan = plan_layout(torch.device("cpu"), load_settings())
    assert (plan.max_batch, plan.streams) == (16, 6)
    assert 1 <= plan.loaders <= 6


def test_a_gpu_gets_big_batches_and_every_core_for_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "count_cores", lambda: 16)
    plan = plan_layout(torch.device("cuda:0"), load_settings())
    assert (plan.max_batch, plan.loaders, plan.piece) == (256, 16, 32)


def test_what_is_set_by_hand_is_kept() -> None:
    settings = load_settings(max_batch=3, loaders=5, max_wait_ms=7.5, image_timeout_s=9)
    plan = plan_layout(torch.device("cpu"), settings)
    assert (plan.max_batch, plan.loaders) == (3, 5)
    assert (plan.max_wait_ms, plan.image_timeout_s) == (7.5, 9)


def test_there_is_always_room_for_work_on_both_sides_of_the_batcher() -> None:
    plan = plan_layout(torch.device("cpu"), load_settings(max_batch=1, loaders=1))
    assert plan.room >= 2 * plan.piece + 2 * plan.max_batch


def test_a_device_that_is_not_there_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="--device cuda:99.*try --device cpu"):
        find_device("cuda:99")
    assert find_device("cpu") == torch.device("cpu")


def test_a_c_library_without_mallopt_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.keep_memory()
