"""Figure: one object of a class, as a picture with a transparent surround."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from workers.demo import signs, things
from workers.demo.outline import Part, Point, turned
from workers.demo.palette import Colour, Palette

#: Half the side of a figure's picture, in units of the object's radius: room for its shadow.
MARGIN = 1.15
#: Drawn this many times too large, then scaled down: Pillow's polygons have hard edges.
_OVERSAMPLING = 2

#: How far an object may turn, in degrees either way, before it stops being itself.
_UPRIGHT, _LEANING, _ANY = 14.0, 35.0, 180.0

#: class -> its outline, and how far it may turn.
FIGURES: dict[str, tuple[Callable[[random.Random], list[Part]], float]] = {
    "arrow": (signs.arrow, _ANY),
    "boat": (things.boat, _UPRIGHT),
    "butterfly": (things.butterfly, _LEANING),
    "cloud": (things.cloud, _UPRIGHT),
    "cross": (signs.cross, _ANY),
    "fish": (things.fish, _LEANING),
    "flower": (things.flower, _ANY),
    "heart": (signs.heart, _LEANING),
    "house": (things.house, _UPRIGHT),
    "moon": (signs.moon, _ANY),
    "mushroom": (things.mushroom, _UPRIGHT),
    "ring": (signs.ring, _ANY),
    "star": (signs.star, _ANY),
    "tree": (things.tree, _UPRIGHT),
    "triangle": (signs.triangle, _ANY),
    "umbrella": (things.umbrella, _LEANING),
}


def draw_figure(label: str, radius: float, palette: Palette, rng: random.Random) -> Image.Image:
    """Return an RGBA square, about 2 x `MARGIN` x `radius` pixels, with the object in its centre.

    Raises KeyError when `label` is not one of `FIGURES`.
    """
    outline, max_turn_deg = FIGURES[label]
    angle = math.radians(rng.uniform(-max_turn_deg, max_turn_deg))
    parts = _posed(outline(rng), angle, rng)
    side = 2 * math.ceil(MARGIN * radius)
    large = _paint(parts, side * _OVERSAMPLING, radius * _OVERSAMPLING, palette, rng)
    figure = _lit(large.resize((side, side), Image.Resampling.BOX))
    return _shadowed(figure, radius) if rng.random() < 0.6 else figure


def _posed(parts: list[Part], angle: float, rng: random.Random) -> list[Part]:
    """Return the parts perhaps mirrored, a little squeezed one way, and turned by `angle`."""
    flip, squeeze = rng.choice((-1.0, 1.0)), rng.uniform(0.86, 1.0)
    wide, tall = rng.choice(((flip, squeeze), (flip * squeeze, 1.0)))
    return [
        Part(tuple(turned((x * wide, y * tall), angle) for x, y in part.points), part.tone)
        for part in parts
    ]


def _paint(
    parts: list[Part], side: int, radius: float, palette: Palette, rng: random.Random
) -> Image.Image:
    """Return the parts in their colours on a transparent square, sometimes with an edge line."""
    placed = [[_place(point, side, radius) for point in part.points] for part in parts]
    edge = rng.choice((None, None, palette.dark, palette.light))
    canvas = Image.new("RGBA", (side, side), (*(edge or palette.body), 0))
    draw = ImageDraw.Draw(canvas)
    if edge is not None:
        width = max(2, round(radius * 0.1))
        for points in placed:
            draw.line(_closed(points), fill=edge, width=width, joint="curve")
    for part, points in zip(parts, placed, strict=True):
        draw.polygon(points, fill=_colour(palette, part))
    return canvas


def _place(point: Point, side: int, radius: float) -> Point:
    return side / 2 + point[0] * radius, side / 2 + point[1] * radius


def _closed(points: list[Point]) -> list[Point]:
    """Return the polygon as a closed line, no point twice in a row: Pillow notches such a joint."""
    neighbours = zip(points, [points[-1], *points[:-1]], strict=True)
    line = [point for point, before in neighbours if point != before]
    return [*line, *line[:2]]


def _colour(palette: Palette, part: Part) -> Colour:
    tones = {
        "body": palette.body,
        "accent": palette.accent,
        "dark": palette.dark,
        "light": palette.light,
    }
    return tones[part.tone]


def _lit(figure: Image.Image) -> Image.Image:
    """Return the figure lit from above: a little darker towards its foot."""
    shade = Image.linear_gradient("L").resize(figure.size).point(lambda level: level * 0.3)
    black = Image.new("RGBA", figure.size, (0, 0, 0, 255))
    lit = Image.composite(black, figure, shade)
    lit.putalpha(figure.getchannel("A"))
    return lit


def _shadowed(figure: Image.Image, radius: float) -> Image.Image:
    """Return the figure over its own soft shadow."""
    step = max(1, round(radius * 0.05))
    cast = figure.getchannel("A").point(lambda level: level * 0.45)
    shadow = Image.new("RGBA", figure.size, (10, 10, 20, 0))
    shadow.paste(Image.new("RGBA", figure.size, (10, 10, 20, 255)), (step, 2 * step), cast)
    soft = shadow.filter(ImageFilter.GaussianBlur(radius * 0.05))
    return Image.alpha_composite(soft, figure)
