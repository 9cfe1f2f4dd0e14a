"""Accuracy: how often a stored demo model is right about pictures."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import mobilenet_v2

from workers.demo.checkpoint import read_checkpoint
from workers.demo.crops import Crops


@torch.inference_mode()
def measure_accuracy(model: nn.Module, crops: Crops) -> float:
    """Return the share (0 to 1) of crops whose best label is the true one."""
    right = 0
    for pixels, truth in zip(torch.split(crops[0], 32), torch.split(crops[1], 32), strict=True):
        right += int((model(normalise(pixels)).argmax(dim=1) == truth).sum())
    return right / len(crops[1])


def load_model(file: Path) -> nn.Module:
    """Return the stored model in float32, ready to classify."""
    state, labels = read_checkpoint(file)
    model: nn.Module = mobilenet_v2(num_classes=len(labels))
    model.load_state_dict(state)
    return model.to(memory_format=torch.channels_last).eval()


def normalise(crops: torch.Tensor) -> torch.Tensor:
    """Return uint8 crops (n, 3, h, w) as float32 with ImageNet's mean and deviation taken out."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    pixels = (crops.float() / 255 - mean) / deviation
    return pixels.contiguous(memory_format=torch.channels_last)
