"""Drawing: pictures of one object each, for training the demo model and for trying it.

Every picture comes from a `random.Random`, so the same seed gives the same picture. The object
lies inside what the classifier sees: the centre square, 224/256 of the shorter side wide.
"""

import io
import random
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from workers.demo.backgrounds import draw_background
from workers.demo.broken import break_picture
from workers.demo.clutter import scatter_clutter
from workers.demo.figure import FIGURES, draw_figure
from workers.demo.palette import choose_palette

#: The classes, in the order of the model's outputs.
LABELS: tuple[str, ...] = tuple(sorted(FIGURES))

#: Shorter and longer side of a picture, in pixels.
_MIN_SIDE_PX, _MAX_SIDE_PX = 180, 640
#: Half of what the classifier sees, in units of the shorter side.
_HALF_CROP = 0.5 * 224 / 256
#: What an object takes beyond its radius: its edge line, and a little air.
_EDGE = 1.07
#: Radius of an object, in units of the shorter side.
_MIN_RADIUS, _MAX_RADIUS = 0.18, 0.40


def draw_picture(label: str, rng: random.Random) -> Image.Image:
    """Return an RGB picture of one object, 180 to 640 pixels a side.

    Raises KeyError when `label` is not one of `LABELS`.
    """
    width, height = _choose_size(rng)
    palette = choose_palette(rng)
    picture = draw_background(width, height, palette, rng)
    scatter_clutter(picture, palette, rng)
    radius = rng.uniform(_MIN_RADIUS, _MAX_RADIUS)
    figure = draw_figure(label, radius * min(width, height), palette, rng)
    picture.paste(figure, _choose_corner(picture, figure, radius, rng), figure)
    return _worn(picture, rng)


def encode_picture(picture: Image.Image, rng: random.Random) -> bytes:
    """Return the picture as a JPEG file of a quality from 45 to 95."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=rng.randint(45, 95))
    return file.getvalue()


def draw_numbered(number: int, seed: int) -> tuple[str, bytes]:
    """Return label and JPEG file of picture `number` of a seed; numbers run through the labels."""
    label = LABELS[number % len(LABELS)]
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 - a picture, not a secret
    return label, encode_picture(draw_picture(label, rng), rng)


def write_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """Write `count` JPEGs `NNNN_label.jpg`, labels evenly spread; the same files for a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        label, content = draw_numbered(number, seed)
        paths.append(folder / f"{number:04d}_{label}.jpg")
        paths[-1].write_bytes(content)
    return paths


def write_broken_pictures(folder: Path) -> list[Path]:
    """Write five files that no decoder can read, each for another reason; see `break_picture`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random("broken")  # noqa: S311 - a picture, not a secret
    contents = break_picture(draw_picture("house", rng))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def true_label(path: Path) -> str | None:
    """Return the label in the name of a file of `write_pictures`, or None."""
    match = re.fullmatch(r"\d{4,}_([a-z]+)\.jpg", path.name)
    return match[1] if match and match[1] in LABELS else None


def _choose_size(rng: random.Random) -> tuple[int, int]:
    """Return a width and a height, up to 16:9 either way."""
    short = rng.randint(_MIN_SIDE_PX, 420)
    long = min(_MAX_SIDE_PX, round(short * rng.choice((1.0, 5 / 4, 4 / 3, 3 / 2, 16 / 9))))
    return rng.choice(((short, long), (long, short), (long, short)))


def _choose_corner(
    picture: Image.Image, figure: Image.Image, radius: float, rng: random.Random
) -> tuple[int, int]:
    """Return where the figure's upper left corner goes, so that the object is in the crop."""
    room = (_HALF_CROP - _EDGE * radius) * min(picture.size)
    left = picture.width / 2 + rng.uniform(-room, room) - figure.width / 2
    top = picture.height / 2 + rng.uniform(-room, room) - figure.height / 2
    return round(left), round(top)


def _worn(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Return the picture as a poor camera sees it: sometimes blurred, sometimes grainy."""
    if rng.random() < 0.3:
        blur_px = rng.uniform(0.2, 1.6) * min(picture.size) / 300
        picture = picture.filter(ImageFilter.GaussianBlur(blur_px))
    if rng.random() < 0.5:
        grains = np.random.default_rng(rng.getrandbits(64))
        noise = grains.standard_normal((picture.height, picture.width, 3), dtype=np.float32)
        grainy = np.asarray(picture) + noise * rng.uniform(2, 22)
        picture = Image.fromarray(np.clip(grainy, 0, 255).astype(np.uint8))
    return picture
