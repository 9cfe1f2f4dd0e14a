"""Fidelity: what each precision promises, on pictures drawn here, with the demo's weights."""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image
from torchvision import transforms

from pipeline.api import classify
from pipeline.records import ImageResult
from workers.classifier.module import build_module
from workers.demo.drawing import LABELS, draw_picture
from workers.weights import DEMO, read_state

#: The source's transform.
PREPARE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
COUNT, LARGE = 100, 8


class Source(NamedTuple):
    """The pictures, the class of each, and the source's scores of it."""

    paths: list[Path]
    truth: list[int]
    scores: list[torch.Tensor]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("pictures")
    truth = [number % len(LABELS) for number in range(COUNT)]
    paths = [draw(folder, number, LABELS[label]) for number, label in enumerate(truth)]
    model = build_module(read_state(DEMO))
    with torch.inference_mode():
        images = (PREPARE(Image.open(path).convert("RGB")).unsqueeze(0) for path in paths)
        return Source(paths, truth, [torch.softmax(model(image)[0], 0) for image in images])


def draw(folder: Path, number: int, label: str) -> Path:
    """Draw a picture; the first few are large enough to be decoded at a smaller scale."""
    picture = draw_picture(label, random.Random(f"fidelity {number}"))
    if number < LARGE:
        factor = 2200 / min(picture.size)
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    path = folder / f"{number:03}.jpg"
    picture.save(path, quality=90)
    return path


def results(source: Source, precision: str) -> list[ImageResult]:
    found = list(
        classify([str(path) for path in source.paths], weights="demo", precision=precision)
    )
    assert [Path(result.uri) for result in found] == source.paths
    return found


def first_labels(found: list[ImageResult]) -> list[int]:
    return [result.predictions[0].index for result in found if result.predictions]


def accuracy(labels: list[int], truth: list[int]) -> float:
    return sum(map(int.__eq__, labels, truth)) / len(truth)


def test_exact_gives_the_sources_own_labels_and_scores(source: Source) -> None:
    for result, scores in zip(results(source, "exact"), source.scores, strict=True):
        assert result.predictions is not None
        assert [p.index for p in result.predictions] == scores.topk(5).indices.tolist()
        assert all(abs(p.score - scores[p.index]) <= 1e-5 for p in result.predictions)


def test_auto_gives_the_sources_own_first_label(source: Source) -> None:
    found = results(source, "auto")
    wanted = [int(scores.argmax()) for scores in source.scores]
    same = accuracy(first_labels(found), wanted)
    gaps = [
        abs(result.predictions[0].score - float(scores[result.predictions[0].index]))
        for result, scores in zip(found, source.scores, strict=True)
        if result.predictions
    ]
    assert same >= 0.995
    assert statistics.median(gaps) <= 0.01


def test_fast_is_right_as_often_as_the_source(source: Source) -> None:
    wanted = [int(scores.argmax()) for scores in source.scores]
    ours = accuracy(first_labels(results(source, "fast")), source.truth)
    assert ours >= accuracy(wanted, source.truth) - 0.01
