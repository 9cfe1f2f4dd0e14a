"""The chart of a bench: images/s as bars, and the bound as a line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from workers.bench.report import Report

#: Inches.
_WIDTH, _ROW_HEIGHT, _REST = 8.0, 0.55, 1.7
_OURS, _OTHERS, _LINE = "#1f77b4", "#b0b7bf", "#d62728"


def can_draw() -> bool:
    """Return whether matplotlib is here."""
    return find_spec("matplotlib") is not None


def draw_chart(report: Report, path: Path) -> None:
    """Write the chart as PNG. Raises OSError when ``path`` cannot be written."""
    from matplotlib.figure import Figure

    rates = [rate for rate in report.rates if rate.images_per_s]
    spreads = [rate.images_per_s for rate in rates if rate.images_per_s]
    medians = [spread.median for spread in spreads]
    ends = [
        [spread.median - spread.lowest for spread in spreads],
        [spread.highest - spread.median for spread in spreads],
    ]
    figure = Figure(figsize=(_WIDTH, _REST + _ROW_HEIGHT * len(rates)), layout="constrained")
    axes = figure.subplots()
    colours = [_OURS] + [_OTHERS] * (len(rates) - 1)
    bars = axes.barh([rate.name for rate in rates], medians, xerr=ends, color=colours, capsize=3)
    axes.bar_label(bars, [f"{median:,.0f}" for median in medians], padding=6)
    axes.axvline(report.bound.images_per_s, color=_LINE, linestyle="--")
    label = f"bound {report.bound.images_per_s:,.0f}: {report.bound.limit}"
    axes.set_title(label, color=_LINE, loc="right", fontsize="medium")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max([report.bound.images_per_s, *(s.highest for s in spreads)]))
    axes.set_xlabel(f"images/s, --precision {report.precision}, {report.cores} cores, {report.cpu}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", dpi=150)
