"""Makes the classifier of a model: which library computes it, on which device, in which numbers."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Literal, Protocol

import torch

from pipeline.records import Precision
from workers.classifier.classifier import Classifier
from workers.classifier.cuda_classifier import CudaClassifier
from workers.classifier.cuda_side import CudaSide
from workers.classifier.module import build_module
from workers.classifier.scoring import Scoring
from workers.classifier.torch_classifier import TorchClassifier
from workers.weights import State


class NamedClassifier(Classifier, Protocol):
    """A classifier that says what computes."""

    @property
    def name(self) -> str:
        """For a chunk's provenance: ``torch-float32`` and the like."""
        ...


#: What computes a forward pass.
EngineName = Literal["torch", "openvino"]


def make_classifier(
    state: State, precision: Precision, device: torch.device, engine: EngineName, streams: int
) -> NamedClassifier:
    """Return what computes the model of a checked state dict.

    ``streams`` is how many threads call it at once. ``engine`` is one of ``list_engines``.
    """
    if engine == "openvino":
        # Imported here: it is not everywhere, and nobody else needs it.
        from workers.classifier.openvino_classifier import OpenVinoClassifier

        return OpenVinoClassifier(state, precision, streams)
    if device.type == "cuda":
        scoring = Scoring(build_module(state), precision, device)
        return CudaClassifier(scoring, partial(CudaSide, device))
    return TorchClassifier(build_module(state), precision, device)


def list_engines(precision: Precision, device: torch.device) -> tuple[EngineName, ...]:
    """Return what can compute here, the one that is mostly faster first.

    OpenVINO is the CPU's, where it is installed; ``exact`` is the source's own library.
    """
    if device.type == "cpu" and precision is not Precision.EXACT and find_spec("openvino"):
        return ("openvino", "torch")
    return ("torch",)
