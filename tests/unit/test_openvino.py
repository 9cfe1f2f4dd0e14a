"""OpenVINO's classifier against torch's, for every size of batch and from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from pipeline.records import Precision
from workers.classifier import making
from workers.classifier.making import list_engines, make_classifier
from workers.classifier.openvino_classifier import OpenVinoClassifier
from workers.weights import DEMO, read_state

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (13, 224, 224, 3), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def classifier() -> OpenVinoClassifier:
    return OpenVinoClassifier(read_state(DEMO), Precision.AUTO, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_its_answers_are_those_of_torch(
    classifier: OpenVinoClassifier, pixels: Tensor, count: int
) -> None:
    torchs = make_classifier(read_state(DEMO), Precision.EXACT, CPU, "torch", 1)
    indexes, scores = torchs.classify(pixels[:count], 5)
    found_indexes, found_scores = classifier.classify(pixels[:count], 5)
    assert found_indexes == indexes
    assert (torch.tensor(found_scores) - torch.tensor(scores)).abs().max() <= 1e-5


def test_an_image_has_the_same_answer_in_every_batch(
    classifier: OpenVinoClassifier, pixels: Tensor
) -> None:
    whole = torch.tensor(classifier.classify(pixels, 3)[1])
    alone = torch.tensor([classifier.classify(one[None], 3)[1][0] for one in pixels])
    assert (whole - alone).abs().max() <= 1e-6


def test_threads_do_not_mix_their_answers(classifier: OpenVinoClassifier, pixels: Tensor) -> None:
    parts = [pixels[start : start + 3] for start in range(10)] * 3
    wanted = [classifier.classify(part, 3) for part in parts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda part: classifier.classify(part, 3), parts)) == wanted


def test_top_k_is_cut_to_the_number_of_classes(
    classifier: OpenVinoClassifier, pixels: Tensor
) -> None:
    classes = len(read_state(DEMO)["classifier.1.bias"])
    indexes, _ = classifier.classify(pixels[:1], 1000)
    assert sorted(indexes[0]) == list(range(classes))


def test_fast_is_near_and_says_in_which_numbers_it_computes(pixels: Tensor) -> None:
    state = read_state(DEMO)
    fast = OpenVinoClassifier(state, Precision.FAST, 2)
    best, wanted = (
        torch.tensor(each.classify(pixels, 1)[1])
        for each in (fast, make_classifier(state, Precision.AUTO, CPU, "torch", 1))
    )
    assert fast.name in ("openvino-bfloat16", "openvino-float32")
    assert (best - wanted).abs().median() < 0.05


def test_torch_is_the_way_where_openvino_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_engines(Precision.AUTO, CPU) == ("openvino", "torch")
    monkeypatch.setattr(making, "find_spec", lambda _: None)
    assert list_engines(Precision.AUTO, CPU) == ("torch",)


def test_exact_and_a_gpu_compute_with_torch() -> None:
    assert list_engines(Precision.EXACT, CPU) == ("torch",)
    assert list_engines(Precision.AUTO, torch.device("cuda")) == ("torch",)
