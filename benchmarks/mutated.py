"""What becomes of many damaged pictures: their outcomes, the loader processes, and their memory.

    .venv/bin/python benchmarks/mutated.py [--pictures 10000] [--seed 0] [--precision auto]

Draws so many pictures of every format and damages them at random (the same seed does the same),
a few bombs among them, and has an engine decode them all; the model computes nothing. Prints how
often each failure code came, how many loader processes had to be replaced, and what the largest of
them held in memory on the way. Exits with 1 if an image has no outcome or a process died.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from echo import OPTIONS, Echo, loader_pids
from mutated_pictures import write_mutated_pictures

from pipeline.fetch.limits import FetchLimits
from pipeline.records import ImageRef, Precision
from workers.decoder import Decoder
from workers.engine.engine import Engine

_CHUNK = 256


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", type=Precision, default=Precision.AUTO)
    options = parser.parse_args()
    decoder = Decoder(options.precision, 178_956_970, FetchLimits(2**28))
    engine = Engine(Echo(), decoder, replace(OPTIONS, piece=8))
    with tempfile.TemporaryDirectory() as folder:
        paths = write_mutated_pictures(Path(folder), options.pictures, options.seed)
        outcomes, processes = carry(engine, paths)
    engine.close()
    print(f"{outcomes.total():,} outcomes of {len(paths):,} pictures")
    for code, number in outcomes.most_common():
        print(f"{code:20} {number:6,}")
    print(f"loader processes that were replaced: {len(processes) - OPTIONS.loaders}")
    return int(outcomes.total() != len(paths) or len(processes) != OPTIONS.loaders)


def carry(engine: Engine, paths: list[Path]) -> tuple[Counter[str], set[int]]:
    """Return how often each outcome came, and every loader process that there was."""
    outcomes: Counter[str] = Counter()
    processes: set[int] = set()
    for start in range(0, len(paths), _CHUNK):
        images = [ImageRef(n, str(path)) for n, path in enumerate(paths[start : start + _CHUNK])]
        for outcome in engine.submit(images, 1).result(600).outcomes:
            outcomes[outcome.failure.code if outcome.failure else "classified"] += 1
        processes |= loader_pids()
        if start // _CHUNK % 8 == 0:
            held = max(map(resident_mb, loader_pids()))
            print(f"{outcomes.total():7,} done, {held:,.0f} MB in the largest process", flush=True)
    return outcomes, processes


def resident_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    sys.exit(main())
