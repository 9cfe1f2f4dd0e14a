"""Torch's classifier: the path on CUDA, of ``exact``, and where OpenVINO is absent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.records import Precision
from workers.classifier.classifier import Found
from workers.classifier.folding import fold_batch_norms
from workers.classifier.numbers import MEAN, STD, compute_dtype


class TorchClassifier:
    """MobileNet v2 on one device in one precision.

    ``exact`` runs the module as it is in float32; ``auto`` folds the batch norms; ``fast`` also
    computes in bfloat16 (a CPU that has it in hardware) or float16 (CUDA).
    """

    def __init__(self, model: nn.Module, precision: Precision, device: torch.device) -> None:
        self.device = device
        self.dtype = compute_dtype(precision, device)
        prepared = model if precision is Precision.EXACT else fold_batch_norms(model)
        prepared.eval().to(device, self.dtype)
        self._model = prepared.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
        if device.type == "cuda":
            # TF32 would move scores by 1e-3; whether it keeps the answers is measured elsewhere.
            torch.backends.cudnn.allow_tf32 = False

    @property
    def name(self) -> str:
        """``torch-float32`` and the like."""
        return f"torch-{str(self.dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def classify(self, pixels: Tensor, top_k: int) -> Found:
        """Return class indexes and softmax scores of uint8 pixels (n, 224, 224, 3), best first.

        Raises what the device raises (torch.OutOfMemoryError included).
        """
        on_device = pixels.to(self.device, non_blocking=True)
        # Division first, then mean and deviation: the order of ToTensor and Normalize.
        planes = on_device.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        normal = planes.sub_(self._mean).div_(self._std)
        logits = self._model(normal.to(self.dtype)).float()
        scores, indexes = torch.softmax(logits, 1).topk(min(top_k, logits.shape[1]))
        return indexes.tolist(), scores.tolist()
