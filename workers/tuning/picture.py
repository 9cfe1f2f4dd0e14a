"""The picture that decoding is measured with: drawn, but as costly to decode as a photo."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

_WIDTH, _HEIGHT = 500, 375
#: ImageNet's photos are mostly saved at 95 or so, with whole colours; they have about 110 KB.
_QUALITY = 95
#: Sides of the grids of noise that are laid over one another, from shapes to grain, and how much
#: weaker each is than the one before: photos lose strength with detail at about this rate.
_GRIDS = (3, 6, 12, 24, 48, 96, 192, 384)
_FADING = 0.7


def draw_photo(seed: int = 7) -> bytes:
    """Return a JPEG of 500 x 375 pixels and about 110 KB, the same for the same seed."""
    random = np.random.default_rng(seed)
    bright = _noise(random)
    # Colours vary less and more softly than light does.
    tints = [_noise(random, len(_GRIDS) - 3) * 0.5 for _ in range(3)]
    planes = [np.clip(128 + 70 * (bright + tint), 0, 255) for tint in tints]
    pixels = np.stack(planes, axis=2).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _noise(random: np.random.Generator, grids: int = len(_GRIDS)) -> npt.NDArray[np.float32]:
    total = np.zeros((_HEIGHT, _WIDTH), np.float32)
    for step, side in enumerate(_GRIDS[:grids]):
        grid = random.standard_normal((side, side)).astype(np.float32)
        smooth = Image.fromarray(grid).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
        total += np.asarray(smooth) * np.float32(_FADING**step)
    return total
