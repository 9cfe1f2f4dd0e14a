"""Crop: a drawn picture as the classifier sees it, made in many processes."""

import io
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Resize,
)

from workers.demo.drawing import LABELS, draw_numbered

#: uint8 pixels (n, 3, 224, 224), and int64 label indices (n,).
Crops = tuple[torch.Tensor, torch.Tensor]

#: Resize and crop of the product's exact path, on Pillow's picture.
_CROP = Compose([Resize(256, InterpolationMode.BILINEAR), CenterCrop(224)])


def draw_crops(count: int, seed: int, processes: int = 2) -> Crops:
    """Return uint8 crops (count, 3, 224, 224) and int64 label indices (count,) of a seed."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        crops = list(pool.map(partial(draw_crop, seed=seed), range(count), chunksize=50))
    labels = torch.arange(count) % len(LABELS)
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2), labels


def draw_crop(number: int, seed: int) -> NDArray[np.uint8]:
    """Return picture `number` of a seed, after its JPEG file, as uint8 (224, 224, 3)."""
    _, content = draw_numbered(number, seed)
    return np.array(_CROP(Image.open(io.BytesIO(content)).convert("RGB")))
