"""The machine that a bench ran on, in words."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

#: What half-precision forward passes run on, as /proc/cpuinfo spells it.
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")


def describe_cpu() -> str:
    """Return the CPU's name, and those of its features that decide about forward passes."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in text.splitlines())
    first = {key.strip(): value.strip() for key, _, value in reversed(list(pairs))}
    name = first.get("model name") or platform.processor() or platform.machine()
    features = [f for f in _FEATURES if f in first.get("flags", "").split()]
    return f"{name} ({', '.join(features)})" if features else name


def describe_device(device: torch.device) -> str:
    """Return a device's own name; the CPU is ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
