"""Sign: plain figures of one colour, each as the outline of one class."""

import math
import random

from workers.demo.outline import Part, arc, polygon, turned


def arrow(rng: random.Random) -> list[Part]:
    """Outline an arrow that points to the right."""
    thick, wide, neck = rng.uniform(0.13, 0.22), rng.uniform(0.5, 0.62), rng.uniform(0.05, 0.3)
    upper = [(-0.95, -thick), (neck, -thick), (neck, -wide)]
    return [polygon(*upper, (0.97, 0.0), *((x, -y) for x, y in reversed(upper)))]


def cross(rng: random.Random) -> list[Part]:
    """Outline a cross with four equal arms."""
    arm, end = rng.uniform(0.18, 0.29), 0.92
    corner = [(-arm, -end), (arm, -end), (arm, -arm)]
    quarters = (number * math.pi / 2 for number in range(4))
    return [polygon(*(turned(point, angle) for angle in quarters for point in corner))]


def heart(rng: random.Random) -> list[Part]:
    """Outline a heart."""
    width, points = rng.uniform(0.84, 0.94), []
    for step in range(60):
        turn = math.tau * step / 60
        y = 13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn)
        points.append((width * math.sin(turn) ** 3, -(y - math.cos(4 * turn)) / 18.5 - 0.04))
    return [polygon(*points)]


def moon(rng: random.Random) -> list[Part]:
    """Outline a crescent moon that opens to the right."""
    outer, inner, away = 0.94, rng.uniform(0.7, 0.8), rng.uniform(0.38, 0.5)
    across = (away**2 + outer**2 - inner**2) / (2 * away)  # x of the two tips
    tip, bay = math.acos(across / outer), math.acos((across - away) / inner)
    back = arc(0, 0, outer, tip, math.tau - tip)
    return [polygon(*back, *arc(away, 0, inner, math.tau - bay, bay))]


def ring(rng: random.Random) -> list[Part]:
    """Outline a ring; one polygon that runs round the outside, then back round the hole."""
    hole = rng.uniform(0.45, 0.66)
    return [polygon(*arc(0, 0, 0.92, 0, math.tau), *arc(0, 0, hole, math.tau, 0))]


def star(rng: random.Random) -> list[Part]:
    """Outline a star with five points."""
    waist = rng.uniform(0.36, 0.5)
    spokes = ((0.97 if number % 2 == 0 else waist, number) for number in range(10))
    return [polygon(*(turned((0.0, -reach), math.pi * n / 5) for reach, n in spokes))]


def triangle(rng: random.Random) -> list[Part]:
    """Outline a triangle, not quite even."""
    angles = [math.tau * number / 3 + rng.uniform(-0.16, 0.16) for number in range(3)]
    return [polygon(*(turned((0.0, -0.96), angle) for angle in angles))]
