"""The side of a GPU against a stand-in for CUDA: staging, capture, replay, and their order."""

from __future__ import annotations

import pytest
import torch
from cuda_stand_in import StandIn
from small_model import noise, small_model
from torch import nn

from pipeline.records import Precision
from workers.classifier.cuda_classifier import CudaClassifier
from workers.classifier.cuda_side import CudaSide
from workers.classifier.module import build_module
from workers.classifier.scoring import Scoring
from workers.classifier.side import CaptureError
from workers.classifier.torch_classifier import TorchClassifier
from workers.weights import DEMO, read_state

CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    stand_in.install(monkeypatch)
    return stand_in


def make_classifier(model: nn.Module | None = None) -> CudaClassifier:
    scoring = Scoring(model or small_model(), Precision.AUTO, CPU)
    return CudaClassifier(scoring, lambda: CudaSide(CPU))


def test_replayed_graphs_answer_as_the_model_itself_does(cuda: StandIn) -> None:
    state = read_state(DEMO)
    classifier = make_classifier(build_module(state))
    plain = TorchClassifier(build_module(state), Precision.AUTO, CPU)
    batch = noise(9)
    for count in (1, 5, 3, 9, 1):
        indexes, scores = classifier.classify(batch[:count].flip(0), 5)
        expected_indexes, expected = plain.classify(batch[:count].flip(0), 5)
        assert indexes == expected_indexes
        assert torch.tensor(scores) == pytest.approx(torch.tensor(expected), abs=1e-5)
    # One for each size, whatever came in between: 1, 8, 32.
    assert len(cuda.graphs) == 3


def test_a_batch_waits_for_the_caller_and_answers_come_after_one_wait(cuda: StandIn) -> None:
    classifier = make_classifier()
    classifier.classify(noise(1), 1)
    cuda.log.clear()
    classifier.classify(noise(1), 1)
    assert cuda.log == [
        "own wait_stream",
        "event synchronize",
        "event record",
        "own synchronize",
    ]


def test_staging_memory_is_pinned_once_and_grows(cuda: StandIn) -> None:
    classifier = make_classifier()
    for count in (1, 2, 2, 1):
        classifier.classify(noise(count), 1)
    image = 224 * 224 * 3
    pins = [line for line in cuda.log if line.startswith("pin")]
    assert pins == [f"pin {image}", f"pin {2 * image}"]


def test_an_error_in_a_capture_is_told_apart_from_a_lack_of_memory(cuda: StandIn) -> None:
    side = CudaSide(CPU)
    cuda.at_capture = RuntimeError("operation not permitted when stream is capturing")
    with pytest.raises(CaptureError, match="not permitted"):
        side.capture(lambda: torch.ones(1))
    # As CUDA has it: the end of a capture that was broken off raises an error of its own.
    cuda.at_capture = torch.OutOfMemoryError("CUDA out of memory")
    cuda.at_end = RuntimeError("CUDA error: operation failed due to a previous error")
    with pytest.raises(torch.OutOfMemoryError) as caught:
        side.capture(lambda: torch.ones(1))
    # What the error remembers would keep the memory of the batch.
    assert caught.value.__context__ is None
