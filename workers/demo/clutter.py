"""Clutter: small marks around the object that belong to no class."""

import math
import random

from PIL import Image, ImageDraw

from workers.demo.palette import Colour, Palette


def scatter_clutter(image: Image.Image, palette: Palette, rng: random.Random) -> None:
    """Draw up to a dozen dots, tiles, bars and curls on the picture, in place."""
    draw, short = ImageDraw.Draw(image), min(image.size)
    for _ in range(rng.choice((0, 0, 3, 6, 12))):
        x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
        mark = rng.choice((_dot, _tile, _bar, _curl))
        mark(draw, x, y, short * rng.uniform(0.012, 0.035), _colour(palette, rng))


def _colour(palette: Palette, rng: random.Random) -> Colour:
    return rng.choice((palette.accent, palette.light, palette.dark, *palette.background))


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, colour: Colour) -> None:
    draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)


def _tile(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, colour: Colour) -> None:
    draw.rectangle((x - size, y - size, x + size, y + size), fill=colour)


def _bar(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, colour: Colour) -> None:
    turn = math.tau * (x + y) % math.tau
    reach, width = size * 3, max(1, round(size / 2))
    ends = (x, y, x + reach * math.cos(turn), y + reach * math.sin(turn))
    draw.line(ends, fill=colour, width=width)


def _curl(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, colour: Colour) -> None:
    steps = [number / 12 for number in range(13)]
    points = [(x + size * 4 * s, y + size * math.sin(math.tau * s)) for s in steps]
    draw.line(points, fill=colour, width=max(1, round(size / 3)))
