"""The schedule: which fault comes when, for how long, and to whom; all of it from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

#: Each fault, and how long it lasts at least and at most, in seconds (a freeze: in leases).
FAULTS: dict[str, tuple[float, float]] = {
    "worker-kill": (0, 0),
    "worker-freeze": (0.3, 2.5),
    "worker-stop": (0, 0),
    "loader-kill": (0, 0),
    "producer-kill": (0, 1.5),
    "broker-kill": (0.2, 4),
    "broker-flush": (0, 0),
    "broker-storm": (2, 5),
    "broker-hole": (2, 9),
    "broker-freeze": (1, 8),
    "database-restart": (0, 2),
}
#: Pauses between the beginnings of two faults, in seconds.
_PAUSES_S = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One fault: ``at_s`` seconds after the start; ``pick`` (0 to 1) chooses its victim."""

    at_s: float
    fault: str
    lasts_s: float
    pick: float


def draw_schedule(
    seeds: Sequence[int], seconds: float, lease_s: float, faults: Sequence[str] = tuple(FAULTS)
) -> list[Step]:
    """Return the steps of so many seconds, each seed's after those of the one before it.

    Of a seed every fault comes once, then every one again, shuffled.
    """
    share_s = seconds / len(seeds)
    return [
        replace(step, at_s=round(step.at_s + number * share_s, 2))
        for number, seed in enumerate(seeds)
        for step in _draw(random.Random(f"{seed} schedule"), share_s, lease_s, faults)
    ]


def _draw(
    rng: random.Random, seconds: float, lease_s: float, faults: Sequence[str]
) -> Iterator[Step]:
    deck = _deal(rng, faults)
    at_s = rng.uniform(*_PAUSES_S)
    while at_s < seconds:
        fault = next(deck)
        unit_s = lease_s if fault == "worker-freeze" else 1.0
        lasts_s = unit_s * rng.uniform(*FAULTS[fault])
        yield Step(round(at_s, 2), fault, round(lasts_s, 2), rng.random())
        at_s += rng.uniform(*_PAUSES_S)


def _deal(rng: random.Random, faults: Sequence[str]) -> Iterator[str]:
    while True:
        deck = list(faults)
        rng.shuffle(deck)
        yield from deck
