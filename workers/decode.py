"""Decode: the bytes of one image in, uint8 pixels of the model's size out."""

from __future__ import annotations

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


def decode(data: bytes, precision: Precision, max_pixels: int) -> tuple[Tensor, int, int]:
    """Return an image's pixels of shape (224, 224, 3), uint8 RGB, and its own width and height.

    Raises PictureError, and whatever a decoder raises of a hostile picture.
    """
    with open_picture(data, max_pixels) as picture:
        if precision is Precision.EXACT:
            return _like_the_source(picture), picture.width, picture.height
        array = _rgb_array(data, picture, _SCALED_SIDE[precision])
        return _resize_and_crop(array), picture.width, picture.height


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


def _rgb_array(data: bytes, picture: Image.Image, side: int) -> Pixels:
    if picture.format in ("JPEG", "MPO") and picture.mode in ("RGB", "L"):
        try:
            array = _decode_jpeg(data, *picture.size, side)
        except ValueError:
            pass  # It is damaged or unusual: Pillow, which is more patient, has the last word.
        else:
            return _turned(array, orientation(picture))
    load_picture(picture)
    return np.array(to_rgb(upright(picture)))


def _decode_jpeg(data: bytes, width: int, height: int, side: int) -> Pixels:
    # Other scales than these have no SIMD in libjpeg-turbo, and take longer than the whole picture.
    scale = next((n for n in (8, 4, 2) if min(width, height) >= n * side), 1)
    array: Pixels = simplejpeg.decode_jpeg(
        data,
        "RGB",
        fastdct=False,
        fastupsample=False,
        min_height=-(-height // scale),
        min_width=-(-width // scale),
    )
    return array


def _turned(array: Pixels, orientation: int) -> Pixels:
    """Turn rows and columns as EXIF's orientation 1..8 says (TIFF 6.0, tag 274)."""
    if orientation >= 5:
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _resize_and_crop(array: Pixels) -> Tensor:
    """Resize with torch's antialiased bilinear filter on uint8, then cut the centre."""
    left, top, right, bottom = centre(array.shape[1], array.shape[0])
    # In this order torch sees channels_last, and leaves it so: it takes half the time.
    planes = torch.from_numpy(array[top:bottom, left:right]).unsqueeze(0).permute(0, 3, 1, 2)
    new_width, new_height = resized_size(right - left, bottom - top)
    size = (new_height, new_width)
    resized = interpolate(planes, size, mode="bilinear", antialias=True, align_corners=False)
    left, top = crop_start(new_width), crop_start(new_height)
    cropped = resized[0, :, top : top + CROP, left : left + CROP]
    return cropped.permute(1, 2, 0).contiguous()
