"""Agreement: how often a precision gives the first label that ``exact`` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from pipeline.config import Settings
from pipeline.fetch.limits import limits_of
from pipeline.fetch.near import read_near
from pipeline.records import Precision
from workers.classifier import Classifier
from workers.classifier.making import make_classifier
from workers.decode import decode
from workers.weights import Weights, read_state

#: Images that are decoded and classified at once.
_TOGETHER = 16


class Agreement(NamedTuple):
    """Of ``images`` pictures, those with the same first label."""

    images: int
    same: int


def find_agreement(
    uris: Sequence[str], weights: Weights, classifier: Classifier, settings: Settings
) -> Agreement:
    """Classify the pictures with ``classifier`` in the settings' precision, and in ``exact``."""
    exact = make_classifier(
        read_state(weights.path), Precision.EXACT, torch.device("cpu"), "torch", 1
    )
    ours = _first_labels(uris, classifier, settings.precision, settings)
    theirs = _first_labels(uris, exact, Precision.EXACT, settings)
    return Agreement(len(uris), sum(a == b for a, b in zip(ours, theirs, strict=True)))


def _first_labels(
    uris: Sequence[str], classifier: Classifier, precision: Precision, settings: Settings
) -> list[int]:
    limits, first = limits_of(settings), []
    for start in range(0, len(uris), _TOGETHER):
        data = [read_near(uri, limits).data for uri in uris[start : start + _TOGETHER]]
        pixels = torch.stack([decode(each, precision, settings.max_pixels)[0] for each in data])
        first += [classes[0] for classes in classifier.classify(pixels, 1)[0]]
    return first
