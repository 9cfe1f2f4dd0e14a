"""Measurements: what a machine was found to do, in memory and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from workers.classifier.making import EngineName


@dataclass(frozen=True, slots=True)
class Rate:
    """Images/s of an engine in batches of one size, with all its streams at once."""

    engine: EngineName
    batch: int
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Measurements:
    """Each rate that was measured (one at least), and what decoding takes.

    ``decode_s``: seconds of one core for an image. Raises ValueError for what nobody can measure.
    """

    rates: tuple[Rate, ...]
    decode_s: float

    def __post_init__(self) -> None:
        numbers = [self.decode_s, *(rate.images_per_s for rate in self.rates)]
        if not self.rates or not all(math.isfinite(n) and n > 0 for n in numbers):
            raise ValueError(f"these are no measurements: {self}")


def to_json(found: Measurements) -> dict[str, Any]:
    """Return measurements as JSON has them."""
    return asdict(found)


def from_json(data: Mapping[str, Any]) -> Measurements:
    """Return the measurements that ``to_json`` wrote.

    Raises KeyError, TypeError or ValueError when it wrote something else.
    """
    rates = tuple(_rate(row) for row in data["rates"])
    return Measurements(rates, float(data["decode_s"]))


def _rate(row: Mapping[str, Any]) -> Rate:
    rate = Rate(row["engine"], int(row["batch"]), float(row["images_per_s"]))
    if rate.engine not in get_args(EngineName) or rate.batch < 1:
        raise ValueError(f"this is no rate: {rate}")
    return rate
