"""Checkpoint: the demo model's weights as a float16 safetensors file, with its labels inside."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

#: The file that ships in the package.
CHECKPOINT = Path(__file__).with_name("demo.safetensors")

#: Smallest normal float16: below it, a batch norm's variance would lose its digits, or be 0.
_MIN_VARIANCE = 6.2e-5


def write_checkpoint(
    state: Mapping[str, torch.Tensor], labels: tuple[str, ...], file: Path
) -> None:
    """Write a state dict in float16 (counters stay int64), with `labels` as JSON metadata."""
    stored = {name: _halved(name, tensor) for name, tensor in state.items()}
    save_file(stored, file, metadata={"labels": json.dumps(labels)})


def read_checkpoint(file: Path = CHECKPOINT) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Return the state dict as stored (float16, in torchvision's layout) and the labels."""
    with safe_open(file, framework="pt") as stored:
        names: list[str] = stored.keys()
        state = {name: stored.get_tensor(name) for name in names}
        return state, tuple(json.loads(stored.metadata()["labels"]))


def _halved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in float16. Raises ValueError when a value does not fit."""
    if not tensor.is_floating_point():
        return tensor.contiguous()
    if name.endswith("running_var"):
        tensor = tensor.clamp(min=_MIN_VARIANCE)
    half = tensor.to(torch.float16).contiguous()
    if not bool(half.isfinite().all()):
        raise ValueError(f"{name} has values that float16 cannot hold")
    return half
