"""The report: what a storm did, what it cost, and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from storm.recovery import Recoveries
from storm.redone import Redone

#: Kinds of log lines that are shown, the most frequent first.
_LINES = 25


@dataclass(slots=True)
class Report:
    """Filled in as a storm goes on; times in seconds."""

    steps: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    recoveries: Mapping[str, Recoveries] = field(default_factory=dict)
    stops_s: Sequence[float] = ()
    refusals: int = 0
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
            yield f"{count:7,}  {kind.splitlines()[0][:180]}"
        yield ""
        yield from (f"FOUND {finding}" for finding in self.findings)
        yield f"{len(self.findings)} findings" if self.findings else "nothing is wrong"

    def _table(self) -> Iterator[str]:
        columns = f"{'median':>7} {'worst':>7}"
        yield f"{'':28}  {'seen to':15}  {'done':>10}"
        yield f"{'fault':18} {'done':>4} {'none':>4} {columns}  {columns}"
        for fault in sorted(self.steps | self.skipped):
            took = self.recoveries.get(fault, Recoveries())
            times = f"{_times(took.seen_to_s)}  {_times(took.done_s)}"
            yield f"{fault:18} {self.steps[fault]:4} {self.skipped[fault]:4} {times}"

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
        yield f"{self.refusals} workers met no server as they started, and were started again"
        for what, values in self.idle.items():
            shown = ", ".join(f"{value:.3g}" for value in values)
            yield f"{what} of the idle workers: {shown}"
        yield f"files of a fresh worker: {self.base_files}"


def _times(took_s: Sequence[float]) -> str:
    if not took_s:
        return f"{'-':>7} {'-':>7}"
    return f"{median(took_s):6.1f}s {max(took_s):6.1f}s"
