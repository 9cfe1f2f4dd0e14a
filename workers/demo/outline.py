"""Outline: the polygons that shapes are made of, inside the unit disc (y points down)."""

import math
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Tone = Literal["body", "accent", "dark", "light"]


@dataclass(frozen=True)
class Part:
    """One filled polygon of a shape; no point is further than 1 from the origin."""

    points: tuple[Point, ...]
    tone: Tone = "body"


def polygon(*points: Point, tone: Tone = "body") -> Part:
    """Return the polygon with these corners."""
    return Part(points, tone)


def box(left: float, top: float, right: float, bottom: float, tone: Tone = "body") -> Part:
    """Return an upright rectangle."""
    return Part(((left, top), (right, top), (right, bottom), (left, bottom)), tone)


def ellipse(
    x: float, y: float, wide: float, tall: float, tone: Tone = "body", tilt: float = 0.0
) -> Part:
    """Return the ellipse at (x, y) with half axes `wide` and `tall`, turned by `tilt` radians."""
    around = arc(0, 0, 1, 0, math.tau)
    return Part(tuple(_turn(wide * u, tall * v, tilt, x, y) for u, v in around), tone)


def arc(x: float, y: float, radius: float, start: float, stop: float) -> list[Point]:
    """Return points on a circle around (x, y) from angle `start` to `stop`, in radians."""
    steps = 40
    turns = (start + (stop - start) * step / steps for step in range(steps + 1))
    return [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]


def turned(point: Point, angle: float) -> Point:
    """Return a point turned around the origin by `angle` radians."""
    return _turn(point[0], point[1], angle, 0.0, 0.0)


def _turn(u: float, v: float, angle: float, x: float, y: float) -> Point:
    sine, cosine = math.sin(angle), math.cos(angle)
    return x + u * cosine - v * sine, y + u * sine + v * cosine
