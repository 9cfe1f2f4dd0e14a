"""Spread: what several rounds gave, as a median with the lowest and the highest."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and the two ends."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Spread:
        """Return the spread of one round at least."""
        return cls(statistics.median(rounds), min(rounds), max(rounds))
