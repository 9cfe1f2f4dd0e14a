"""Palette: the colours of one picture, chosen so that the object stands out."""

import colorsys
import random
from dataclasses import dataclass

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

#: Distance (in 8-bit RGB, Euclidean) that the object keeps from every background colour: some
#: pictures are easy to see, some less so.
_LEAST_CONTRAST, _MOST_CONTRAST = 75.0, 165.0


@dataclass(frozen=True)
class Palette:
    """Three related `background` colours, and the object's tones."""

    background: tuple[Colour, Colour, Colour]
    body: Colour
    accent: Colour
    dark: Colour
    light: Colour


def choose_palette(rng: random.Random) -> Palette:
    """Return colours that go together: a quiet background, and a vivid object apart from it."""
    hue, contrast = rng.random(), rng.uniform(_LEAST_CONTRAST, _MOST_CONTRAST)
    night = rng.random() < 0.25
    background = _choose_background(hue, night, rng)
    body = _choose_apart(background, contrast, rng)
    accent = _choose_apart((*background, body), contrast * 0.7, rng)
    return Palette(background, body, accent, dark=_shade(hue, rng), light=(252, 246, 234))


def distance(one: Colour, other: Colour) -> float:
    """Return the Euclidean distance of two colours in 8-bit RGB: 0 (the same) to about 442."""
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def _choose_background(
    hue: float, night: bool, rng: random.Random
) -> tuple[Colour, Colour, Colour]:
    """Return three neighbours in hue: all pale or muted, or all dark at night."""
    saturation = rng.uniform(0.3, 0.6) if night else rng.uniform(0.08, 0.38)
    low, high = (0.16, 0.38) if night else (0.68, 0.97)

    def near() -> Colour:
        return _from_hsv(hue + rng.uniform(-0.07, 0.07), saturation, rng.uniform(low, high))

    return near(), near(), near()


def _choose_apart(others: tuple[Colour, ...], contrast: float, rng: random.Random) -> Colour:
    """Return a vivid colour, `contrast` away from all others or as near to that as there is."""
    while True:
        colour = _from_hsv(rng.random(), rng.uniform(0.5, 0.92), rng.uniform(0.55, 1.0))
        if all(distance(colour, other) >= contrast for other in others):
            return colour
        contrast -= 0.5  # a crowded palette must not search for ever


def _shade(hue: float, rng: random.Random) -> Colour:
    """Return a deep, nearly neutral colour for trunks, doors and eyes."""
    return _from_hsv(hue + rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.6), rng.uniform(0.16, 0.3))


def _from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the colour of a hue (in turns, any number), saturation and value (0 to 1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
