"""Thing: pictured objects of several colours, each as the outline of one class."""

import math
import random

from workers.demo.outline import Part, Tone, arc, box, ellipse, polygon


def boat(rng: random.Random) -> list[Part]:
    """Outline a sailing boat: a mast, two sails and a hull."""
    foot, bow = rng.uniform(0.15, 0.25), rng.uniform(0.72, 0.84)
    return [
        box(-0.04, -0.92, 0.05, 0.4, "dark"),
        polygon((0.09, -0.88), (rng.uniform(0.55, 0.75), foot), (0.09, foot)),
        polygon((-0.08, -0.72), (-0.08, foot), (-rng.uniform(0.45, 0.65), foot), tone="light"),
        polygon((-bow, 0.36), (bow + 0.06, 0.36), (0.55, 0.78), (-0.5, 0.78), tone="accent"),
    ]


def butterfly(rng: random.Random) -> list[Part]:
    """Outline a butterfly with spread, spotted wings."""
    parts = []
    for side in (-1, 1):
        feeler = [(0.0, -0.45), (side * 0.24, -0.86), (side * 0.32, -0.84), (side * 0.08, -0.4)]
        parts += [
            polygon(*feeler, tone="dark"),
            ellipse(side * 0.42, 0.42, 0.38, 0.28, tilt=side * 0.7),
            ellipse(side * 0.47, -0.26, 0.46, 0.34, tilt=-side * 0.55),
            ellipse(side * 0.52, -0.3, 0.22, 0.16, "accent", tilt=-side * 0.55),
            ellipse(side * 0.46, 0.46, 0.16, 0.11, "accent", tilt=side * 0.7),
        ]
    return [*parts, ellipse(0, 0.05, rng.uniform(0.07, 0.1), 0.56, "dark")]


def cloud(rng: random.Random) -> list[Part]:
    """Outline a cloud: round heaps over a flat foot."""
    left, right = rng.uniform(0.28, 0.36), rng.uniform(0.3, 0.38)
    return [
        ellipse(-0.55, 0.42 - left, left, left),
        ellipse(0.53, 0.42 - right, right, right),
        ellipse(-0.14, -0.1, 0.42, rng.uniform(0.38, 0.46)),
        ellipse(0.24, 0.0, 0.34, 0.34),
        box(-0.55, 0.0, 0.53, 0.42),
    ]


def fish(rng: random.Random) -> list[Part]:
    """Outline a fish with a tail, fins and an eye; it looks to the right."""
    tall = rng.uniform(0.34, 0.46)
    tail = [(-0.3, 0.0), (-0.88, -0.42), (-0.7, 0.0), (-0.88, 0.42)]
    return [
        polygon(*tail, tone="accent"),
        polygon((-0.15, 0.1 - tall), (-0.2, -0.66), (0.36, 0.1 - tall), tone="accent"),
        ellipse(0.2, 0.0, 0.72, tall),
        polygon((0.1, 0.02), (-0.22, -0.06), (-0.18, 0.24), tone="accent"),
        ellipse(0.58, -0.1, 0.11, 0.11, "light"),
        ellipse(0.6, -0.1, 0.055, 0.055, "dark"),
    ]


def flower(rng: random.Random) -> list[Part]:
    """Outline a blossom seen from above."""
    count = rng.randint(5, 8)
    width = 0.62 * math.sin(math.pi / count) * rng.uniform(0.82, 0.98)
    turns = [math.tau * number / count for number in range(count)]
    petals = [
        ellipse(0.57 * math.cos(turn), 0.57 * math.sin(turn), 0.38, width, tilt=turn)
        for turn in turns
    ]
    return [*petals, ellipse(0, 0, 0.27, 0.27, "accent")]


def house(rng: random.Random) -> list[Part]:
    """Outline a house with a chimney, a roof, a door and a window."""
    wall, eaves = rng.uniform(0.5, 0.6), rng.uniform(-0.18, -0.06)
    return [
        box(0.28, -0.74, 0.44, -0.1, "dark"),
        box(-wall, eaves, wall, 0.76),
        polygon((-0.8, eaves), (0.0, -0.9), (0.8, eaves), tone="accent"),
        box(-0.34, 0.24, -0.04, 0.76, "dark"),
        box(0.12, 0.18, 0.42, 0.46, "light"),
    ]


def mushroom(rng: random.Random) -> list[Part]:
    """Outline a mushroom: a spotted cap on a stem."""
    stem, brim = rng.uniform(0.17, 0.25), rng.uniform(0.0, 0.12)
    cap = [(0.85 * x, brim + 0.9 * y) for x, y in arc(0, 0, 1, math.pi, math.tau)]
    return [
        polygon((-stem, brim), (stem, brim), (stem + 0.1, 0.86), (-stem - 0.1, 0.86), tone="light"),
        polygon(*cap),
        ellipse(-0.42, brim - 0.3, 0.15, 0.13, "light"),
        ellipse(0.05, brim - 0.56, 0.17, 0.14, "light"),
        ellipse(0.45, brim - 0.24, 0.13, 0.11, "light"),
    ]


def tree(rng: random.Random) -> list[Part]:
    """Outline a fir tree of three tiers, or a tree with a round crown."""
    trunk = box(-0.11, 0.2, 0.11, 0.92, "dark")
    if rng.random() < 0.5:
        heaps = [(-0.34, 0.04, 0.4), (0.34, 0.04, 0.4), (0.0, -0.36, 0.5), (0.0, 0.0, 0.4)]
        return [trunk, *(ellipse(x, y, size, size) for x, y, size in heaps)]
    tiers = [(0.62, 0.62, -0.1), (0.5, 0.2, -0.46), (0.37, -0.22, -0.95)]
    return [trunk, *(polygon((-w, foot), (w, foot), (0.0, top)) for w, foot, top in tiers)]


def umbrella(rng: random.Random) -> list[Part]:
    """Outline an open umbrella: a handle under a canopy of coloured panels."""
    brim, hook = rng.uniform(0.0, 0.1), 0.15
    crook = [
        *arc(hook - 0.04, 0.68, hook + 0.04, math.pi, 0),
        *arc(hook - 0.04, 0.68, 0.1, 0, math.pi),
    ]
    handle = [box(-0.04, -0.92, 0.05, 0.7, "dark"), polygon(*crook, tone="dark")]
    edges = [-0.88, -0.34, 0.34, 0.88]
    tones: tuple[Tone, ...] = ("accent", "body", "accent")
    panels = [
        _panel(left, right, brim, tone)
        for left, right, tone in zip(edges, edges[1:], tones, strict=False)
    ]
    return [*handle, *panels]


def _panel(left: float, right: float, brim: float, tone: Tone) -> Part:
    """Return a slice of the canopy between two ribs, with a scalloped lower edge."""
    middle, half = (left + right) / 2, (right - left) / 2
    # Ribs run from the brim to the tip, as quarter ellipses.
    rib = [step / 12 * math.pi / 2 for step in range(13)]
    up = [(left * math.cos(turn), brim - 0.8 * math.sin(turn)) for turn in rib]
    down = [(right * math.cos(turn), brim - 0.8 * math.sin(turn)) for turn in reversed(rib)]
    scallop = [(middle + half * x, brim - 0.12 * abs(y)) for x, y in arc(0, 0, 1, 0, math.pi)]
    return polygon(*up, *down, *scallop, tone=tone)
