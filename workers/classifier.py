"""The classifier: uint8 pixels in, the best classes and their scores out. It sees tensors only."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pipeline.records import Precision

#: ImageNet's mean and standard deviation of each channel, as torchvision's own transform has them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Classifier:
    """MobileNet v2 on one device in one precision.

    ``exact`` runs the module as it is in float32; ``auto`` folds the batch norms; ``fast`` also
    computes in bfloat16 (a CPU that has it in hardware) or float16 (CUDA).
    """

    def __init__(self, model: nn.Module, precision: Precision, device: torch.device) -> None:
        self.device = device
        self.dtype = _compute_dtype(precision, device)
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
        """What computes, for a chunk's provenance: ``torch-float32`` and the like."""
        return f"torch-{str(self.dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def classify(self, pixels: Tensor, top_k: int) -> tuple[list[list[int]], list[list[float]]]:
        """Return class indexes and softmax scores, best first, ``top_k`` of them for each image.

        ``pixels`` is uint8 of shape (n, 224, 224, 3). An image whose scores are not finite gets
        NaN as its first score. Raises what the device raises (torch.OutOfMemoryError included).
        """
        on_device = pixels.to(self.device, non_blocking=True)
        # Division first, then mean and deviation: the order of ToTensor and Normalize.
        planes = on_device.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        normal = planes.sub_(self._mean).div_(self._std)
        logits = self._model(normal.to(self.dtype)).float()
        scores, indexes = torch.softmax(logits, 1).topk(min(top_k, logits.shape[1]))
        return indexes.tolist(), scores.tolist()


def pick_device(name: str) -> torch.device:
    """Return the torch device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm of ``module`` (in place) into the convolution before it."""
    children = list(module.named_children())
    for (name, first), (next_name, second) in pairwise(children):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(first, second))
            setattr(module, next_name, nn.Identity())
    for _, child in module.named_children():
        fold_batch_norms(child)
    return module


def _compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    if precision is not Precision.FAST:
        return torch.float32
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    """Without the instructions bfloat16 is emulated, and slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
