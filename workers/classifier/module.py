"""torchvision's own module of a MobileNet v2, for what torch computes."""

from __future__ import annotations

import torch
from torch import nn

from workers.weights import State
from workers.weights.state import count_classes


def build_module(state: State) -> nn.Module:
    """Return the MobileNet v2 of a checked state dict: float32, in evaluation mode, on the CPU.

    It takes float tensors of shape (n, 3, 224, 224) and returns logits of shape (n, classes).
    """
    from torchvision.models import mobilenet_v2  # it takes a second to import: torch._dynamo

    model: nn.Module = mobilenet_v2(num_classes=count_classes(state))
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return model.eval()
