"""Devices: what ``--device`` means on this machine. Torch is imported only when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    import torch


def find_device(name: str) -> torch.device:
    """Return what ``auto``, ``all``, ``cpu``, ``cuda`` or ``cuda:N`` means here.

    ``all`` and ``auto`` are the CPU where there is no GPU. Raises UsageError when this machine has
    no such device.
    """
    import torch

    if name in ("auto", "all"):
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise UsageError(
            f"--device {name}: this machine has {found} CUDA devices; try --device cpu"
        )
    return device


def check_device(name: str) -> None:
    """Raise UsageError when this machine has no such device; most names need no look."""
    if name.startswith("cuda"):
        find_device(name)
