"""JPEGs that a loader process hands over undecoded, because a GPU decodes them in batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from pipeline.pictures.pictures import orientation

#: Larger files are decoded by the loader processes, so that those in flight fit into memory (two
#: thousand of them at half a MiB are 1 GiB), and so that a hostile one costs little where it is
#: decoded outside of a process that may die.
MAX_BYTES = 2**19
MAX_PIXELS = 2**24

#: Horizontal and vertical sampling of the components that nvJPEG's hardware takes: 4:4:4, 4:2:2,
#: 4:2:0 and greyscale (nvJPEG's documentation, "Hardware acceleration").
_SAMPLINGS = {
    ((1, 1), (1, 1), (1, 1)),
    ((2, 1), (1, 1), (1, 1)),
    ((2, 2), (1, 1), (1, 1)),
    ((1, 1),),
}


class JpegNote(NamedTuple):
    """What is known of a JPEG from its header: its size as stored, and its EXIF orientation."""

    length: int
    width: int
    height: int
    orientation: int


class Jpeg(NamedTuple):
    """A JPEG's bytes, uint8 of shape (length,), and what is known of it."""

    data: Tensor
    note: JpegNote


def as_jpeg(data: bytes, picture: Image.Image) -> Jpeg | None:
    """Return what a GPU's decoder takes of a file; None: the loader process decodes it.

    Only what is plain and whole goes to a GPU: its decoder does not say of every file that it is
    cut off, and takes a progressive one in software, alone. ``picture`` is the opened file.
    """
    # Not MPO, which has more than one picture in it.
    if picture.format != "JPEG" or picture.mode not in ("RGB", "L"):
        return None
    width, height = picture.size
    small = len(data) <= MAX_BYTES and width * height <= MAX_PIXELS
    if not small or not data.endswith(b"\xff\xd9") or not _is_plain(picture):
        return None
    note = JpegNote(len(data), width, height, orientation(picture))
    return Jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), note)


def _is_plain(picture: Image.Image) -> bool:
    components = getattr(picture, "layer", [])
    samplings = tuple((horizontal, vertical) for _, horizontal, vertical, _ in components)
    # An Adobe file may say that it holds RGB itself; others say so by the components' names.
    is_rgb = picture.info.get("adobe_transform") == 0 or [c[0] for c in components] == [*b"RGB"]
    return samplings in _SAMPLINGS and not is_rgb and "progressive" not in picture.info
