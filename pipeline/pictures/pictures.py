"""Pictures from bytes: few formats, bounded pixels, the first frame, upright, in RGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pipeline.pictures.guard import guarding, hushing, too_many_pixels

# Imported by name: asked for a format that it has not loaded, Pillow imports all forty plugins.
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    GifImagePlugin.GifImageFile,
    BmpImagePlugin.BmpImageFile,
    TiffImagePlugin.TiffImageFile,
)
#: The formats that are decoded; JPEG includes MPO, of which the first picture counts.
FORMATS = tuple(plugin.format for plugin in _PLUGINS)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

#: Brightest values of 8, 12 and 16 bits.
_RANGES = (255, 4095, 65535)


def open_picture(data: bytes, max_pixels: int) -> Image.Image:
    """Return the picture in ``data`` at its first frame, with nothing but its header read.

    Raises PictureError: not_an_image, unsupported_format, too_many_pixels (width x height above
    ``max_pixels``), truncated, decode_error.
    """
    # Pillow's own limit is raised where it must be, never lowered or switched off: others use it.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 1, max_pixels)
    with guarding(data):
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise too_many_pixels(f"{width} x {height} pixels are more than {max_pixels:,}")
    return image


def load_picture(image: Image.Image) -> None:
    """Decode the first frame of an opened picture; the second time costs nothing.

    Raises PictureError: truncated, decode_error, too_many_pixels, decoder_crashed (no memory).
    """
    stream = getattr(image, "fp", None)
    with guarding(stream.getvalue() if isinstance(stream, io.BytesIO) else b""):
        image.load()


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) where there is none or it is garbage.

    A TIFF is always 1: Pillow turns it upright by itself while it loads it.
    """
    if image.format == "TIFF":
        return 1
    try:
        with hushing():
            value: Any = image.getexif().get(ExifTags.Base.Orientation)
            return int(value) if value in _TURNS else 1
    except Exception:  # metadata is the least cared-for part of any file
        return 1


def upright(image: Image.Image) -> Image.Image:
    """Return the picture as it was held, by its orientation; raises as ``load_picture``."""
    load_picture(image)
    turn = _TURNS.get(orientation(image))
    with guarding():
        return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in RGB: ``image.convert("RGB")``, but for deep greyscale.

    Modes I;16, I and F, which Pillow would clip to 255, are scaled to 8 bits: by the smallest of 8,
    12 and 16 bits that holds them, else from their own darkest to their own brightest value.

    Raises PictureError as ``load_picture``.
    """
    load_picture(image)
    with guarding():
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            image = Image.fromarray(_to_8_bits(np.asarray(image)))
        return image.convert("RGB")


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return uint8 (height, width) of deep values of the same shape."""
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= _RANGES[-1]:
        top = next(top for top in _RANGES if values.max() <= top)
        table = np.minimum(np.arange(_RANGES[-1] + 1) * (255 / top), 255).round().astype(np.uint8)
        return np.take(table, values.astype(np.uint16, copy=False))
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    return ((finite - low) * (255 / ((high - low) or 1.0))).round().astype(np.uint8)
