"""The machine: what tells it from others whose measurements would be different."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from pipeline.records import Precision
from workers.tuning.choosing import Candidates
from workers.weights import file_sha256

#: What is measured is their code.
_LIBRARIES = ("imagemill", "torch", "openvino", "simplejpeg", "pillow")

#: Lines of /proc/cpuinfo that say what a CPU is, on x86 and ARM; the others vary by the minute.
_CPU_LINES = {
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features",
}  # fmt: skip


def describe_machine(
    weights: Path,
    precision: Precision,
    device: torch.device,
    cores: int,
    candidates: Candidates,
) -> dict[str, Any]:
    """Return, as JSON has it, what measurements depend on: the machine, the model, the versions.

    ``weights`` is read whole for its SHA-256. Raises OSError when it cannot be.
    """
    lines = _cpu_lines()
    return {
        "cpu": lines.get("model name") or platform.processor() or platform.machine(),
        # Clouds hide the name; family and features remain.
        "cpu_sha256": hashlib.sha256(repr(sorted(lines.items())).encode()).hexdigest(),
        "cores": cores,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "weights_sha256": file_sha256(weights),
        "precision": precision.value,
        "versions": {name: _version(name) for name in _LIBRARIES},
        "candidates": {name: list(each) for name, each in asdict(candidates).items()},
    }


def _cpu_lines() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in rows if key.strip() in _CPU_LINES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
