"""The GPU's decoder: what a batch of images needs before the model sees it on its device."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.records import Failure, Precision
from workers.classifier.cuda_side import CudaSide
from workers.classifier.side import Side
from workers.decode import decode
from workers.decoder import catching
from workers.gpu_decode import can_decode, decode_batch
from workers.jpegs import Jpeg

log = logging.getLogger(__name__)


def make_gpu_decoder(
    precision: Precision, device: torch.device, max_pixels: int
) -> GpuDecoder | None:
    """Return what decodes JPEGs on the device, for ``fast`` on CUDA; else None.

    With it, the decoders of the loader processes have to hand over.
    """
    if precision is not Precision.FAST or device.type != "cuda":
        return None
    if not can_decode(device):
        log.warning("JPEGs are decoded on the CPU: this torchvision has no decoder for %s", device)
        return None
    return GpuDecoder(device, CudaSide(device), max_pixels)


class GpuDecoder:
    """Decodes JPEGs on ``device``, and moves there what is decoded; one thread calls it."""

    def __init__(self, device: torch.device, side: Side, max_pixels: int) -> None:
        self._device = device
        self._side = side
        self._max_pixels = max_pixels

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Tensor | Jpeg]) -> list[Tensor | Failure]:
        """Return the pixels of each on the device, uint8 (224, 224, 3), or its failure.

        Raises torch.OutOfMemoryError, and RuntimeError when the device is lost.
        """
        with self._side.inside():
            jpegs = [each for each in pictures if isinstance(each, Jpeg)]
            decoded = iter(decode_batch(jpegs, self._device))
            found = [
                self._or_here(next(decoded), each) if isinstance(each, Jpeg) else each
                for each in pictures
            ]
            self._move(found)
        # Other threads take them, in streams of their own.
        self._side.wait()
        return found

    def _or_here(self, pixels: Tensor | None, jpeg: Jpeg) -> Tensor | Failure:
        """Decode what the device refused on the CPU, alone, which has the last word about it."""
        if pixels is not None:
            return pixels
        data = jpeg.data.numpy().tobytes()
        made = catching(lambda: decode(data, Precision.FAST, self._max_pixels))
        return made if isinstance(made, Failure) else made[0]

    def _move(self, found: list[Tensor | Failure]) -> None:
        """Move what is on the CPU to the device, in one copy."""
        places, waiting = [], []
        for place, each in enumerate(found):
            if isinstance(each, Tensor) and each.device.type != self._device.type:
                places.append(place)
                waiting.append(each)
        if waiting:
            stacked = torch.stack(waiting)
            target = torch.empty_like(stacked, device=self._device)
            self._side.upload(stacked, target)
            for place, pixels in zip(places, target, strict=True):
                found[place] = pixels
