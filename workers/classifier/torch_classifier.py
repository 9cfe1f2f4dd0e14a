"""Torch's classifier on a CPU: the path of ``exact``, and where OpenVINO is absent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.records import Precision
from workers.classifier.classifier import Found
from workers.classifier.scoring import Scoring


class TorchClassifier:
    """MobileNet v2 on one device in one precision, each batch in its own size."""

    def __init__(self, model: nn.Module, precision: Precision, device: torch.device) -> None:
        self._scoring = Scoring(model, precision, device)

    @property
    def name(self) -> str:
        """``torch-float32`` and the like."""
        return self._scoring.name

    @torch.inference_mode()
    def classify(self, pixels: Tensor, top_k: int) -> Found:
        """Return class indexes and softmax scores of uint8 pixels (n, 224, 224, 3), best first.

        Raises what the device raises (torch.OutOfMemoryError included).
        """
        scores = self._scoring(pixels.to(self._scoring.device))
        best, indexes = scores.topk(min(top_k, scores.shape[1]))
        return indexes.tolist(), best.tolist()
