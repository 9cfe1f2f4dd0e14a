"""The geometry of the source's transform, in pixels: what is resized to what, and what is cut."""

from __future__ import annotations

#: The source's transform: the shorter side becomes RESIZE, then the centre CROP x CROP is cut.
RESIZE = 256
CROP = 224

#: A strip longer than this is cut to its centre before it is resized: whole, a picture of
#: 1 x 100,000,000 pixels would become one of 256 x 25,600,000,000.
_LONGEST_ASPECT = 16


def centre(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box that remains of a picture: all of it, unless it is a very long strip."""
    longest = _LONGEST_ASPECT * min(width, height)
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return left, top, min(width, left + longest), min(height, top + longest)


def resized_size(width: int, height: int) -> tuple[int, int]:
    """Return the size that torchvision's Resize(256) gives: the longer side is cut, not rounded."""
    if width <= height:
        return RESIZE, int(RESIZE * height / width)
    return int(RESIZE * width / height), RESIZE


def crop_start(length: int) -> int:
    """Return where torchvision's CenterCrop(224) begins on a side of this length."""
    return round((length - CROP) / 2.0)
