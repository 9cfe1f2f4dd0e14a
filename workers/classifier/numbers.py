"""Numbers: what pixels are normalised with, and in which numbers a precision computes."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.records import Precision

#: ImageNet's mean and standard deviation of each channel, as torchvision's own transform has them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return float32, or for ``fast`` the half that the device has in hardware."""
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
