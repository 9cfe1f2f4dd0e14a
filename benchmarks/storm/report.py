"""The report: what a storm did, what it cost, and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from storm.redone import Redone

#: Kinds of log lines that are shown, the most frequent first.
_LINES = 25


@dataclass(slots=True)
class Report:
    """Filled in as a storm goes on; times in seconds."""

    steps: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    took_s: Mapping[str, Sequence[float]] = field(default_factory=dict)
    stops_s: Sequence[float] = ()
    jobs: int = 0
    storm_s: float = 0.0
    quiet_s: float = 0.0
    looks: int = 0
    redone: Redone | None = None
    base_files: int = 0
    idle: Mapping[str, Sequence[float]] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    findings: Sequence[str] = ()

    def text(self) -> str:
        """Return all of it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from self._table()
        yield ""
        yield from self._figures()
        yield ""
        yield "what the logs say (numbers left out)"
        for kind, count in self.lines.most_common(_LINES):
            yield f"{count:7,}  {kind[:180]}"
        yield ""
        yield from (f"FOUND {finding}" for finding in self.findings)
        yield f"{len(self.findings)} findings" if self.findings else "nothing is wrong"

    def _table(self) -> Iterator[str]:
        yield f"{'fault':18} {'done':>5} {'skipped':>8} {'recovered':>10} {'median':>8} {'worst':>8}"
        for fault in sorted(self.steps | self.skipped):
            took = self.took_s.get(fault, ())
            times = f"{median(took):7.1f}s {max(took):7.1f}s" if took else f"{'-':>8} {'-':>8}"
            counts = f"{self.steps[fault]:5} {self.skipped[fault]:8} {len(took):10}"
            yield f"{fault:18} {counts} {times}"

    def _figures(self) -> Iterator[str]:
        if made := self.redone:
            rate = made.images / (self.storm_s + self.quiet_s)
            yield f"{self.jobs} jobs, {made.images:,} images, {rate:,.0f} images/s with all faults"
            share = made.images_again / max(1, made.images)
            yield (
                f"redone: {made.images_again:,} images ({share:.1%}) in {made.attempts_again:,} "
                f"attempts; {made.split_off:,} chunks split off, {made.solo} solo, "
                f"{made.condemned} condemned"
            )
        yield f"quiet after {self.quiet_s:.1f} s; {self.looks} looks at the books on the way"
        if self.stops_s:
            yield f"{len(self.stops_s)} stops by SIGTERM, the slowest in {max(self.stops_s):.1f} s"
        for what, values in self.idle.items():
            shown = ", ".join(f"{value:.3g}" for value in values)
            yield f"{what} of the idle workers: {shown}"
        yield f"files of a fresh worker: {self.base_files}"
