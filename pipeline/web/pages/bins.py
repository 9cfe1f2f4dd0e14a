"""The histogram of scores as bars that lead to their images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.queries.answers.bins import BINS

if TYPE_CHECKING:
    from pipeline.queries.histograms import ScoreHistogram
    from pipeline.records import Job
    from pipeline.web.pages.gallery import Choice

_HEIGHT = 60


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of the histogram of scores: its range, how high it is of 60, and where it leads."""

    low: str
    high: str
    images: int
    height: float
    href: str
    chosen: bool


def make_bins(job: Job, choice: Choice, scores: ScoreHistogram) -> list[Bin]:
    """Return the bars of a histogram of scores; what is not empty can be seen."""
    highest = max(scores.counts, default=0) or 1
    bins = []
    for place, images in enumerate(scores.counts):
        low, high = f"{place / BINS:g}", f"{(place + 1) / BINS:g}"
        height = max(1.5, (_HEIGHT - 2) * images / highest) if images else 0
        chosen = (low, high) == (choice.min_score, choice.max_score)
        href = choice.with_scores(job, *(("", "") if chosen else (low, high)))
        bins.append(Bin(low, high, images, round(height, 2), href, chosen))
    return bins
