"""What `imagemill doctor` asks of torch: its build, the device, and the downloaded weights."""

from __future__ import annotations

import torch
import torchvision

from workers.devices import find_device


def describe_torch() -> str:
    """Return the versions of torch and torchvision, and torch's number of threads."""
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    return f"{versions}, {torch.get_num_threads()} threads"


def describe_device(name: str) -> str:
    """Return what ``--device name`` means here; UsageError when there is no such device."""
    device = find_device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
