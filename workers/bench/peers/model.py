"""The model of every peer: torchvision's own module, as it comes, and torchvision's transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn
from torchvision import transforms

from workers.classifier.module import build_module
from workers.classifier.numbers import MEAN, STD
from workers.weights import read_state

NORMALIZE = transforms.Normalize(MEAN, STD)

#: The transform of torchvision's classification models, for PIL images.
PREPARE: Any = transforms.Compose(
    [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), NORMALIZE]
)


def load(weights: str, device: str) -> nn.Module:
    """Return the MobileNet v2 of a weights file in float32 on a device."""
    return build_module(read_state(Path(weights))).to(device)
