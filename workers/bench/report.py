"""The report of a bench: every figure with its spread, for a table, a chart or JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from workers.bench.agreement import Agreement
from workers.bench.bound import Bound
from workers.bench.spread import Spread
from workers.tuning.choice import Choice

#: Our own row among the rates, and the peer that the others are compared with.
OURS = "imagemill"
SOURCE = "the source's loop"


@dataclass(frozen=True, slots=True)
class StageFigures:
    """A stage: seconds of one core for an image.

    ``images_per_s`` is what all forward threads get through, or the database's one writer.
    """

    name: str
    what: str
    core_s: Spread
    images_per_s: Spread | None = None


@dataclass(frozen=True, slots=True)
class RateFigures:
    """A whole pipeline's images/s, or the reason why there are none."""

    name: str
    images_per_s: Spread | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a bench found; ``rates`` begin with our own."""

    cpu: str
    cores: int
    device: str
    precision: str
    weights: str
    images: int
    different: int
    drawn: bool
    left_out: int
    rounds: int
    #: What computed, as chunks name it.
    engine: str
    choice: Choice
    stages: tuple[StageFigures, ...]
    bound: Bound
    rates: tuple[RateFigures, ...]
    agreement: Agreement | None

    def share_of_bound(self, rate: RateFigures) -> float | None:
        """Return a rate's share of the bound, 0 to 1; None without a rate."""
        return rate.images_per_s.median / self.bound.images_per_s if rate.images_per_s else None

    def times_slower(self, rate: RateFigures) -> float | None:
        """Return how many times our rate is this one; None without a rate."""
        ours = self.rates[0].images_per_s
        return ours.median / rate.images_per_s.median if ours and rate.images_per_s else None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; seconds and images/s."""
        shown = asdict(self)
        shown["agreement"] = self.agreement and self.agreement._asdict()
        for row, rate in zip(shown["rates"], self.rates, strict=True):
            row["share_of_bound"] = self.share_of_bound(rate)
            row["ours_is_times"] = self.times_slower(rate)
        return shown
