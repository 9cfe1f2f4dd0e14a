"""Measuring: threads that begin at once, and a machine that has no room for everything."""

from __future__ import annotations

import threading
from io import BytesIO

import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.records import Precision
from workers.classifier import Found
from workers.tuning import measuring
from workers.tuning.choosing import Candidates
from workers.tuning.picture import draw_photo
from workers.tuning.together import Meet, Together

CPU = torch.device("cpu")


class Cramped:
    """A classifier with room for batches of 8 at most; it keeps which threads called it."""

    def __init__(self) -> None:
        self.callers: set[int] = set()
        self.sizes: list[int] = []

    def classify(self, pixels: Tensor, top_k: int) -> Found:
        self.callers.add(threading.get_ident())
        self.sizes.append(len(pixels))
        if len(pixels) > 8:
            raise torch.OutOfMemoryError("too little")
        assert pixels.shape[1:] == (224, 224, 3)
        assert pixels.dtype == torch.uint8
        return [[0] * top_k] * len(pixels), [[1.0] * top_k] * len(pixels)


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> Cramped:
    classifier = Cramped()
    monkeypatch.setattr(measuring, "make_classifier", lambda *_: classifier)
    monkeypatch.setattr(measuring, "_MEASURE_S", 0.01)
    return classifier


def measure(*batches: int) -> list[int]:
    found = measuring.measure_machine(
        {}, Precision.AUTO, CPU, Candidates(("torch",), batches), streams=3
    )
    assert 0.0001 < found.decode_s < 1
    return [rate.batch for rate in found.rates]


def test_a_batch_without_room_is_left_out_and_not_tried_twice(cramped: Cramped) -> None:
    assert measure(8, 16, 4) == [8, 4]
    assert cramped.sizes.count(16) <= 3


def test_the_same_threads_call_all_the_time(cramped: Cramped) -> None:
    measure(8, 4)
    assert len(cramped.callers) == 3


def test_nothing_that_has_room_is_an_error(cramped: Cramped) -> None:
    with pytest.raises(ValueError, match="no measurements"):
        measure(16, 32)


def test_without_patience_only_the_likeliest_batch_is_measured(
    cramped: Cramped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_PATIENCE_S", 0.0)
    assert measure(8, 4, 2, 1) == [8]


def test_threads_begin_when_all_are_ready() -> None:
    ready = []

    def work(meet: Meet) -> int:
        ready.append(1)
        meet()
        return len(ready)

    with Together(4) as threads:
        assert threads.run(work) == [4, 4, 4, 4]


def test_the_error_of_one_thread_frees_the_others() -> None:
    first = threading.Lock()

    def work(meet: Meet) -> None:
        if first.acquire(blocking=False):
            raise KeyError("broken")
        meet()

    with Together(4) as threads, pytest.raises(KeyError, match="broken"):
        threads.run(work)


def test_the_drawn_photo_is_like_a_photo_and_always_the_same() -> None:
    photo = draw_photo()
    assert photo == draw_photo()
    assert 100_000 < len(photo) < 120_000
    assert Image.open(BytesIO(photo)).size == (500, 375)
