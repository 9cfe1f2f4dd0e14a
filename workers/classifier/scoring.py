"""Scoring: pixels on a device in, softmax scores out; what every path of torch computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.records import Precision
from workers.classifier.folding import fold_batch_norms
from workers.classifier.numbers import MEAN, STD, compute_dtype

#: Whether ``auto`` may compute in TF32 on CUDA: float32 with products of 10 bits of mantissa
#: instead of 23. Off until its agreement with float32 is measured on a GPU; ``exact`` never does.
TF32 = False


class Scoring:
    """MobileNet v2 on one device in one precision, from normalisation to softmax.

    ``exact`` runs the module as it is in float32; ``auto`` folds the batch norms; ``fast`` also
    computes in bfloat16 (a CPU that has it in hardware) or float16 (CUDA). ``tf32`` is about
    float32 on CUDA; torch knows it for a whole process only.
    """

    def __init__(
        self, model: nn.Module, precision: Precision, device: torch.device, *, tf32: bool = TF32
    ) -> None:
        self.device = device
        self._dtype = compute_dtype(precision, device)
        prepared = model if precision is Precision.EXACT else fold_batch_norms(model)
        prepared.eval().to(device, self._dtype)
        self._model = prepared.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
        self._tf32 = tf32 and device.type == "cuda" and precision is Precision.AUTO
        if device.type == "cuda":
            # Both are set: convolutions would use TF32 unasked, and the last layer would not.
            torch.backends.cudnn.allow_tf32 = self._tf32
            torch.backends.cuda.matmul.allow_tf32 = self._tf32

    @property
    def name(self) -> str:
        """``torch-float32`` and the like."""
        return f"torch-{'tf32' if self._tf32 else str(self._dtype).removeprefix('torch.')}"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return scores as float32 (n, classes) of uint8 pixels (n, 224, 224, 3) on the device.

        It runs no CUDA call that a graph's capture would forbid. Inference mode is the caller's.
        """
        # Division first, then mean and deviation: the order of ToTensor and Normalize.
        planes = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        normal = planes.sub_(self._mean).div_(self._std)
        return torch.softmax(self._model(normal.to(self._dtype)).float(), 1)
