"""A model that is quick, and pixels for it; both from a seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Classes of ``small_model``.
CLASSES = 7


def small_model() -> nn.Module:
    """Make a model of one layer, in evaluation mode."""
    layer = nn.Linear(12, CLASSES)
    seeded = torch.Generator().manual_seed(3)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=seeded)
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), layer).eval()


def noise(count: int) -> Tensor:
    """Return pixels, uint8 (count, 224, 224, 3)."""
    seeded = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8, generator=seeded)
