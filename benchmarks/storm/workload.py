"""The workload: pictures, and jobs of references to them, all from one seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workers.demo.drawing import write_broken_pictures, write_pictures

#: Distinct pictures, and distinct uris for an engine that reads none.
_PICTURES, _NULL_URIS = 120, 4000
#: The chance that a reference has an id of its own.
_NAMED = 0.7


class Wanted(NamedTuple):
    """What is submitted of one image."""

    uri: str
    custom_id: str | None


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job that a producer submits: its name is its idempotency key."""

    name: str
    priority: str
    chunk_size: int
    manifest: Path
    wanted: tuple[Wanted, ...]
    #: How long its submission rests between its pieces in all, in seconds.
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How large jobs are; counts are images."""

    fewest: int
    most: int
    chunk_size: int
    #: New jobs come while fewer images than these are open.
    enough_open: int


PICTURES = Scale(fewest=40, most=260, chunk_size=16, enough_open=300)
NULL = Scale(fewest=2_000, most=20_000, chunk_size=256, enough_open=40_000)


class Workload:
    """Draws the pictures into ``folder``, and plans jobs of them; the same for a seed."""

    def __init__(self, folder: Path, seed: int, *, null: bool) -> None:
        self.scale = NULL if null else PICTURES
        self._folder = folder
        self._seed = seed
        folder.mkdir(parents=True, exist_ok=True)
        self.uris = _null_uris() if null else _draw(folder / "pictures", seed)

    def plan_reference(self) -> PlannedJob:
        """Return the job that has each uri once: what an undisturbed worker says of it counts."""
        wanted = tuple(Wanted(uri, None) for uri in self.uris)
        return self._write("reference", "bulk", self.scale.chunk_size, wanted)

    def plan_probe(self, number: int) -> PlannedJob:
        """Return a job of many small chunks: every worker that is well takes some of them."""
        wanted = tuple(Wanted(self.uris[n % 100], f"{number}-{n}") for n in range(100))
        return self._write(f"probe-{number}", "high", 1, wanted)

    def plan(self, number: int) -> PlannedJob:
        """Return the job of a number, of any size and priority; some uris are in it twice."""
        rng = random.Random(f"{self._seed} job {number}")
        count = rng.randint(self.scale.fewest, self.scale.most)
        wanted = tuple(
            Wanted(rng.choice(self.uris), f"{number}-{n}" if rng.random() < _NAMED else None)
            for n in range(count)
        )
        priority = "high" if rng.random() < 0.3 else "bulk"
        rest_s = rng.choice((0.0, 1.0, 2.0))
        return self._write(f"job-{number}", priority, self.scale.chunk_size, wanted, rest_s)

    def _write(
        self,
        name: str,
        priority: str,
        chunk_size: int,
        wanted: tuple[Wanted, ...],
        rest_s: float = 0.0,
    ) -> PlannedJob:
        manifest = self._folder / f"{name}.jsonl"
        lines = (json.dumps({"uri": one.uri, "id": one.custom_id}) + "\n" for one in wanted)
        manifest.write_text("".join(lines))
        return PlannedJob(name, priority, chunk_size, manifest, wanted, rest_s)


def _draw(folder: Path, seed: int) -> tuple[str, ...]:
    # Seeds 1 and 2 drew what the model was trained and measured on.
    drawn = write_pictures(folder, _PICTURES, seed=1000 + seed % 1000)
    broken = write_broken_pictures(folder / "broken")
    missing = [folder / "missing.jpg", folder / "no folder" / "missing too.png"]
    return tuple(str(path) for path in (*drawn, *broken, *missing))


def _null_uris() -> tuple[str, ...]:
    return tuple(f"/null/{'fail/' if n % 50 == 0 else ''}{n:06}.jpg" for n in range(_NULL_URIS))
