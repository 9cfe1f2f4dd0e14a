"""Decode JPEGs on a GPU, in batches: nvJPEG through torchvision, then resize and crop there.

Not measured yet: no GPU was at hand. The same code runs in the tests on a CPU.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from workers.geometry import CROP, centre, crop_start, resized_size
from workers.jpegs import Jpeg, as_jpeg

#: Pixels that are decoded together at most: about 1 GiB with their float32 copy.
_TOGETHER = 2**26


@torch.inference_mode()
def decode_batch(jpegs: Sequence[Jpeg], device: torch.device) -> list[Tensor | None]:
    """Return the pixels of each, uint8 RGB (224, 224, 3) on the device; None where it refuses.

    They are complete on the current stream. Raises torch.OutOfMemoryError, and RuntimeError when
    the device is lost.
    """
    found: list[Tensor | None] = []
    for run in _runs(jpegs):
        found += _resize_and_crop(_decode(run, device), run)
    return found


def can_decode(device: torch.device) -> bool:
    """Tell whether JPEGs can be decoded there; one is tried, which also starts the decoder."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "JPEG")
    with Image.open(stream) as picture:
        jpeg = as_jpeg(stream.getvalue(), picture)
    try:
        return jpeg is not None and decode_batch([jpeg], device)[0] is not None
    except ImportError:
        return False  # torchvision has said that its decoders will be removed.


def _runs(jpegs: Sequence[Jpeg]) -> Iterator[Sequence[Jpeg]]:
    """Cut them where there would be too many pixels at once."""
    cuts, pixels = [0], 0
    for place, jpeg in enumerate(jpegs):
        size = jpeg.note.width * jpeg.note.height
        if place and pixels + size > _TOGETHER:
            cuts.append(place)
            pixels = 0
        pixels += size
    for start, stop in pairwise([*cuts, len(jpegs)]):
        yield jpegs[start:stop]


def _decode(jpegs: Sequence[Jpeg], device: torch.device) -> list[Tensor | None]:
    """Decode them whole; a batch that fails is halved until the culprit is alone."""
    if not jpegs:
        return []
    try:
        return list(_decode_all([jpeg.data for jpeg in jpegs], device))
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "CUDA error" in str(error):
            raise  # It is not about a picture.
    if len(jpegs) == 1:
        return [None]
    middle = len(jpegs) // 2
    return _decode(jpegs[:middle], device) + _decode(jpegs[middle:], device)


def _decode_all(files: list[Tensor], device: torch.device) -> list[Tensor]:
    # Imported here: it is slow to import, and only a GPU needs it.
    from torchvision.io import ImageReadMode, decode_jpeg

    if device.type == "cuda":
        # nvJPEG writes into memory that work queued on this stream still reads: torchvision
        # issue 9606. Nothing may be queued when it begins.
        torch.cuda.current_stream(device).synchronize()
    planes: list[Tensor] = decode_jpeg(files, mode=ImageReadMode.RGB, device=device)
    return planes


def _resize_and_crop(planes: list[Tensor | None], jpegs: Sequence[Jpeg]) -> list[Tensor | None]:
    """Treat pictures of one size together: few calls, whatever their number."""
    places: dict[tuple[int, ...], list[int]] = defaultdict(list)
    turned = [
        None if each is None else _turned(each, jpeg.note.orientation)
        for each, jpeg in zip(planes, jpegs, strict=True)
    ]
    for place, each in enumerate(turned):
        if each is not None:
            places[tuple(each.shape)].append(place)
    found: list[Tensor | None] = [None] * len(jpegs)
    for group in places.values():
        stacked = torch.stack([each for place in group if (each := turned[place]) is not None])
        for place, pixels in zip(group, _crops(stacked), strict=True):
            found[place] = pixels
    return found


def _turned(planes: Tensor, orientation: int) -> Tensor:
    """Turn planes (3, height, width) as EXIF's orientation 1..8 says (TIFF 6.0, tag 274)."""
    if orientation >= 5:
        planes = planes.transpose(1, 2)
    if orientation in (3, 4, 7, 8):
        planes = planes.flip(1)
    if orientation in (2, 3, 6, 7):
        planes = planes.flip(2)
    return planes


def _crops(pictures: Tensor) -> Tensor:
    """Resize uint8 (n, 3, height, width) and cut the centre, as ``workers.decode`` does.

    In float32, since torch has the antialiased filter for uint8 on a CPU only: a level may differ.
    """
    left, top, right, bottom = centre(pictures.shape[3], pictures.shape[2])
    planes = pictures[:, :, top:bottom, left:right].to(torch.float32)
    new_width, new_height = resized_size(right - left, bottom - top)
    size = (new_height, new_width)
    resized = interpolate(planes, size, mode="bilinear", antialias=True, align_corners=False)
    left, top = crop_start(new_width), crop_start(new_height)
    cropped = resized[:, :, top : top + CROP, left : left + CROP]
    return cropped.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
