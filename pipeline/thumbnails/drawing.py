"""Drawing: the bytes of any picture in, a small JPEG out; in a process that may die of it."""

from __future__ import annotations

import io

from PIL import Image

from pipeline.pictures.guard import guarding
from pipeline.pictures.pictures import open_picture, to_rgb, upright

_QUALITY = 82
#: A JPEG is decoded at an eighth, a quarter or a half while it stays so many times the thumbnail.
_SPARE = 2


def draw(data: bytes, side: int, max_pixels: int) -> bytes:
    """Return a JPEG of at most ``side`` pixels: the first frame, upright, as the model sees it.

    So transparency and colour profiles are left out of account. Raises PictureError.
    """
    with open_picture(data, max_pixels) as picture:
        with guarding(data):
            picture.draft(None, (_SPARE * side, _SPARE * side))
        small = to_rgb(upright(picture))
        with guarding(data):
            small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=_SPARE)
            return _encode(small)


def _encode(picture: Image.Image) -> bytes:
    # Comments, profiles and places would go along.
    picture.info.clear()
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
