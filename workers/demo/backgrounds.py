"""Background: what a picture shows behind its object, blended from three related colours."""

import math
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.demo.palette import Palette

#: float32 (height, width): coordinates in units of the shorter side, or a blend from 0 to 1.
Field = NDArray[np.float32]


def draw_background(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    """Return an RGB picture of `width` x `height` pixels in the palette's background colours."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / min(width, height)
    field = rng.choice(_KINDS)(columns, rows, rng)
    return _blend(np.clip(field, 0.0, 1.0), palette)


def _plain(x: Field, _y: Field, _rng: random.Random) -> Field:
    return np.zeros_like(x)


def _gradient(x: Field, y: Field, rng: random.Random) -> Field:
    along = _turned(x, y, rng)
    return _scaled(along - along.min())


def _glow(x: Field, y: Field, rng: random.Random) -> Field:
    far = np.hypot(x - rng.uniform(0.2, 0.8) * x.max(), y - rng.uniform(0.2, 0.8) * y.max())
    return _scaled(far)


def _stripes(x: Field, y: Field, rng: random.Random) -> Field:
    wave = np.sin(_turned(x, y, rng) * math.tau * rng.uniform(3, 9))
    return _step(wave * 0.3 + rng.uniform(-0.1, 0.1)) * rng.choice((0.5, 1.0))


def _checks(x: Field, y: Field, rng: random.Random) -> Field:
    often, x, y = math.pi * rng.uniform(5, 11), x + rng.random(), y + rng.random()
    return _step(np.sin(x * often) * np.sin(y * often)) * rng.choice((0.5, 1.0))


def _hills(x: Field, y: Field, rng: random.Random) -> Field:
    field = 0.3 * y / y.max()
    for layer, level in enumerate((rng.uniform(0.45, 0.7), rng.uniform(0.7, 0.9))):
        crest = np.sin(x * rng.uniform(2, 7) + rng.uniform(0, 7)) * rng.uniform(0.03, 0.1)
        field = np.where(y / y.max() > level + crest, 0.65 + 0.35 * layer, field)
    return np.asarray(field, np.float32)


def _blobs(x: Field, y: Field, rng: random.Random) -> Field:
    field = np.zeros_like(x)
    for _ in range(rng.randint(5, 12)):
        far = np.hypot(x - rng.uniform(0, x.max()), y - rng.uniform(0, y.max()))
        field = np.maximum(field, _step(rng.uniform(0.06, 0.28) - far) * rng.uniform(0.2, 1.0))
    return field


def _texture(x: Field, _y: Field, rng: random.Random) -> Field:
    height, width = x.shape
    grains = np.random.default_rng(rng.getrandbits(64))
    field = np.zeros_like(x)
    for cells, share in ((rng.randint(3, 8), 0.65), (rng.randint(16, 48), 0.35)):
        grid = Image.fromarray(grains.random((cells, cells), dtype=np.float32))
        field += share * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
    return field


_KINDS: tuple[Callable[[Field, Field, random.Random], Field], ...] = (
    _plain,
    _gradient,
    _glow,
    _stripes,
    _checks,
    _hills,
    _blobs,
    _texture,
)


def _turned(x: Field, y: Field, rng: random.Random) -> Field:
    """Return the coordinate along a direction drawn at random."""
    angle = rng.uniform(0, math.tau)
    return x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))


def _scaled(field: Field) -> Field:
    """Return the field divided by its largest value."""
    scaled: Field = field / field.max()
    return scaled


def _step(signed: Field) -> Field:
    """Return 0 where the field is below zero and 1 where above, with a soft edge."""
    soft: Field = np.clip(signed * 60 + 0.5, 0.0, 1.0)
    return soft


def _blend(field: Field, palette: Palette) -> Image.Image:
    """Return the picture whose colour goes from the first (0) over the second to the third (1)."""
    colours = np.asarray(palette.background, dtype=np.float32)
    channels = [np.interp(field, (0.0, 0.5, 1.0), colours[:, number]) for number in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
