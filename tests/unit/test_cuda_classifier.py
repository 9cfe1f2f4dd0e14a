"""The classifier of a GPU, on a CPU: batches in a few sizes, a lane for each thread, memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from plain_side import PlainSide
from small_model import CLASSES, noise, small_model
from torch import Tensor

from pipeline.records import Precision
from workers.classifier.cuda_classifier import CudaClassifier
from workers.classifier.scoring import Scoring
from workers.classifier.side import CaptureError, Program, Side
from workers.classifier.sizes import SIZES, cut, size_below
from workers.classifier.torch_classifier import TorchClassifier

CPU = torch.device("cpu")


class Sized(Scoring):
    """Notes each size that it computes, and has no room for batches above ``room``."""

    def __init__(self, room: int = SIZES[-1]) -> None:
        super().__init__(small_model(), Precision.AUTO, CPU)
        self.room = room
        self.sizes: list[int] = []

    def __call__(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("no room")
        return super().__call__(batch)


def assert_same(classifier: CudaClassifier, batch: Tensor, top_k: int = 3) -> None:
    expected_indexes, expected = TorchClassifier(small_model(), Precision.AUTO, CPU).classify(
        batch, top_k
    )
    indexes, scores = classifier.classify(batch, top_k)
    assert indexes == expected_indexes
    assert torch.tensor(scores) == pytest.approx(torch.tensor(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("count", "largest", "expected"),
    [
        (1, 512, [(0, 1, 1)]),
        (2, 512, [(0, 2, 8)]),
        (64, 512, [(0, 64, 64)]),
        (65, 512, [(0, 65, 128)]),
        (65, 32, [(0, 32, 32), (32, 64, 32), (64, 65, 1)]),
        (600, 512, [(0, 512, 512), (512, 600, 128)]),
    ],
)
def test_a_batch_is_cut_and_padded_to_few_sizes(
    count: int, largest: int, expected: list[tuple[int, int, int]]
) -> None:
    assert cut(count, largest) == expected


def test_below_each_size_is_the_next_one_and_below_the_smallest_itself() -> None:
    assert [size_below(size) for size in SIZES] == [1, 1, 8, 32, 64, 128, 256]


def test_answers_are_the_same_for_every_size_of_batch() -> None:
    score = Sized()
    classifier = CudaClassifier(score, PlainSide)
    for count in range(1, 21):
        assert_same(classifier, noise(count))
    assert set(score.sizes) == {1, 8, 32}


def test_rows_left_by_a_larger_batch_do_not_reach_the_next() -> None:
    classifier = CudaClassifier(Sized(), PlainSide)
    classifier.classify(noise(8), 3)
    assert_same(classifier, noise(2))


def test_any_top_k_is_answered_and_cut_to_the_classes() -> None:
    classifier = CudaClassifier(Sized(), PlainSide)
    for top_k in (1, 5, 100):
        assert len(classifier.classify(noise(2), top_k)[0][0]) == min(top_k, CLASSES)


def test_two_threads_share_nothing_that_is_written() -> None:
    lanes: list[PlainSide] = []

    def make_side() -> Side:
        lanes.append(PlainSide())
        return lanes[-1]

    classifier, start = CudaClassifier(Sized(), make_side), threading.Barrier(2)

    def work(first: int) -> None:
        start.wait(10)
        for count in range(first, first + 12, 2):
            assert_same(classifier, noise(count))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, first) for first in (1, 2)]:
            done.result(60)
    assert len(lanes) == 2


def fail_with(error: Exception) -> Callable[[], Side]:
    def fail(_: Program) -> None:
        raise error

    return lambda: PlainSide(fail)


def test_a_capture_that_fails_is_told_of_once_and_costs_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    classifier = CudaClassifier(Sized(), fail_with(CaptureError("not in a capture")))
    with caplog.at_level(logging.WARNING):
        for count in (1, 5, 9):
            assert_same(classifier, noise(count))
    assert [record.getMessage() for record in caplog.records] == [
        "computing without CUDA graphs, which is slower: not in a capture"
    ]


def test_out_of_memory_surfaces_and_no_batch_is_as_large_again() -> None:
    score = Sized(room=8)
    classifier = CudaClassifier(score, PlainSide)
    with pytest.raises(torch.OutOfMemoryError):
        classifier.classify(noise(20), 3)
    score.sizes.clear()
    assert_same(classifier, noise(20))
    assert score.sizes == [8, 8, 8]


def test_out_of_memory_in_a_capture_surfaces_too() -> None:
    classifier = CudaClassifier(Sized(), fail_with(torch.OutOfMemoryError("no room")))
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        classifier.classify(noise(1), 3)


def test_after_out_of_memory_every_thread_gives_its_own_memory_back() -> None:
    score, sides = Sized(), list[PlainSide]()

    def make_side() -> Side:
        sides.append(PlainSide())
        return sides[-1]

    classifier = CudaClassifier(score, make_side)
    with ThreadPoolExecutor(1) as other:
        other.submit(classifier.classify, noise(32), 3).result(60)
        score.room = 8
        with pytest.raises(torch.OutOfMemoryError):
            classifier.classify(noise(32), 3)
        other.submit(classifier.classify, noise(32), 3).result(60)
    assert len(sides) == 3


def test_any_other_error_surfaces_as_it_is() -> None:
    class Lost(Sized):
        def __call__(self, batch: Tensor) -> Tensor:
            raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side assert"):
        CudaClassifier(Lost(), PlainSide).classify(noise(1), 3)
