"""Decode: the bytes of one image in, uint8 pixels of the model's size out."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from pipeline.pictures.guard import guarding
from pipeline.pictures.pictures import load_picture, open_picture, orientation, to_rgb, upright
from pipeline.records import Precision
from workers.geometry import CROP, centre, crop_start, resized_size

#: uint8 RGB of shape (height, width, 3).
Pixels = npt.NDArray[np.uint8]

#: A JPEG is decoded at a half, a quarter or an eighth of its size as long as its shorter side
#: stays this long. `auto` keeps its answers so; what is gained below changes one in a hundred.
_SCALED_SIDE = {Precision.AUTO: 1024, Precision.FAST: 512}


class Stored(NamedTuple):
    """A picture as its file has it, and how it is to be turned (EXIF's orientation, 1 to 8).

    ``array`` is uint8 RGB at a ``scale``: 2 means half of each of ``width`` and ``height``.
    """

    array: Pixels
    width: int
    height: int
    scale: int
    orientation: int


def decode(data: bytes, precision: Precision, max_pixels: int) -> tuple[Tensor, int, int]:
    """Return an image's pixels of shape (224, 224, 3), uint8 RGB, and its own width and height.

    Raises PictureError, and whatever a decoder raises of a hostile picture.
    """
    with open_picture(data, max_pixels) as picture:
        if precision is Precision.EXACT:
            return _like_the_source(picture), picture.width, picture.height
        stored = _read_stored(data, picture, _SCALED_SIDE[precision])
        # Turned when it is small: at a smaller scale the last row and column are not full ones.
        return _crop(_turned(_resize(stored), stored.orientation)), *picture.size


def _like_the_source(picture: Image.Image) -> Tensor:
    """Apply torchvision's Resize(256) and CenterCrop(224) for PIL images, to the pixel."""
    load_picture(picture)
    with guarding():
        image = picture.crop(centre(*picture.size)).convert("RGB")
    width, height = resized_size(image.width, image.height)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = crop_start(width), crop_start(height)
    cropped = image.crop((left, top, left + CROP, top + CROP))
    return torch.from_numpy(np.array(cropped))


def _read_stored(data: bytes, picture: Image.Image, side: int) -> Stored:
    if picture.format in ("JPEG", "MPO") and picture.mode in ("RGB", "L"):
        try:
            return _read_jpeg(data, picture, side)
        except ValueError:
            pass  # It is damaged or unusual: Pillow, which is more patient, has the last word.
    load_picture(picture)
    array = np.array(to_rgb(upright(picture)))
    return Stored(array, array.shape[1], array.shape[0], 1, 1)


def _read_jpeg(data: bytes, picture: Image.Image, side: int) -> Stored:
    width, height = picture.size
    # Other scales than these have no SIMD in libjpeg-turbo, and take longer than the whole picture.
    scale = next((n for n in (8, 4, 2) if min(width, height) >= n * side), 1)
    scaled = (-(-height // scale), -(-width // scale))
    array: Pixels = simplejpeg.decode_jpeg(
        data, "RGB", fastdct=False, fastupsample=False, min_height=scaled[0], min_width=scaled[1]
    )
    if array.shape[:2] != scaled:
        raise ValueError("Pillow and libjpeg-turbo see pictures of two sizes in it")
    return Stored(array, width, height, scale, orientation(picture))


def _resize(stored: Stored) -> Pixels:
    """Resize with torch's antialiased bilinear filter on uint8.

    At a smaller scale the array covers up to ``scale`` - 1 pixels more than the picture does. To
    take its sides for the picture's would shift the result by up to a pixel, and change answers.
    """
    scale, (left, top, right, bottom) = stored.scale, centre(*stored.array.shape[1::-1])
    # In this order torch sees channels_last, and leaves it so: it takes half the time.
    planes = torch.from_numpy(stored.array[top:bottom, left:right])[None].permute(0, 3, 1, 2)
    resize = partial(interpolate, planes, mode="bilinear", antialias=True, align_corners=False)
    width = min(stored.width, scale * (right - left))
    height = min(stored.height, scale * (bottom - top))
    new_width, new_height = resized_size(width, height)
    if scale == 1:
        resized = resize(size=(new_height, new_width))
    else:
        # A trifle more, lest a side that comes out as 255.999 be cut down to 255.
        nearly = scale * (1 + 1e-9)
        factors = (nearly * new_height / height, nearly * new_width / width)
        resized = resize(scale_factor=factors, recompute_scale_factor=False)
    pixels: Pixels = resized[0].permute(1, 2, 0).numpy()
    return pixels


def _turned(array: Pixels, orientation: int) -> Pixels:
    """Turn rows and columns as EXIF's orientation 1..8 says (TIFF 6.0, tag 274)."""
    if orientation >= 5:
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def _crop(array: Pixels) -> Tensor:
    left, top = crop_start(array.shape[1]), crop_start(array.shape[0])
    return torch.from_numpy(np.array(array[top : top + CROP, left : left + CROP]))
