"""Chaos: a real cluster under random faults, and an independent check of what it stored.

    .venv/bin/python benchmarks/chaos.py [--seconds 120] [--seed N] [--faults NAME,...]

Two producers and two workers over Redis and PostgreSQL carry jobs of drawn pictures, while workers,
loader processes, producers, Redis, its connections and the database are killed, frozen, stopped
and cut off, at times and in ways that the seed decides. Then it is quiet: every job has to end, and
every image must have the one answer that an undisturbed worker gave to its picture. Exits with 1
when anything is wrong. `--break RULE` breaks a rule of the ledger on purpose, to see it found.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# The servers and the helpers of the tests.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from storm.breaks import BREAKS
from storm.options import Options
from storm.schedule import FAULTS
from storm.servers import Servers
from storm.storm import Storm


def main() -> int:
    options, given = read_options()
    # So that nothing is left behind after a SIGTERM either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {text}", flush=True)

    seeds = " ".join(f"--seed {seed}" for seed in options.seeds)
    say(f"{seeds}; {options.seconds:g} s of {', '.join(options.faults)}")
    with Servers(given.postgres) as servers:
        report = Storm(options, servers, say).run()
    say("over")
    print(report.text(), flush=True)
    if report.findings:
        print(f"the logs are in {options.folder}; the same faults: {seeds}")
        return 1
    if given.folder is None:
        shutil.rmtree(options.folder)
    return 0


def read_options() -> tuple[Options, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120, help="how long the faults go on")
    parser.add_argument(
        "--seed",
        type=int,
        action="append",
        help="of several each has its share of the time; -1 or unset: a random one, which is told",
    )
    parser.add_argument("--faults", default=",".join(FAULTS), help="which of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--producers", type=int, default=2)
    parser.add_argument("--null", action="store_true", help="an engine that computes nothing")
    parser.add_argument("--break", dest="broken", choices=BREAKS, help="break a rule on purpose")
    parser.add_argument("--patience", type=float, default=60, help="seconds without progress")
    parser.add_argument("--folder", type=Path, help="where the logs go")
    parser.add_argument("--postgres", type=Path, help="a stopped server's folder, to copy")
    given = parser.parse_args()
    faults = tuple(given.faults.split(","))
    if unknown := set(faults) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(unknown)}")
    options = Options(
        seeds=tuple(map(choose_seed, given.seed or [-1])),
        seconds=given.seconds,
        folder=given.folder or Path(tempfile.mkdtemp(prefix="imagemill-chaos-")),
        faults=faults,
        workers=given.workers,
        producers=given.producers,
        null=given.null,
        broken=given.broken,
        patience_s=given.patience,
    )
    return options, given


def choose_seed(given: int) -> int:
    """Return a given seed, or a random one in the place of -1."""
    return random.SystemRandom().randrange(10**6) if given < 0 else given


if __name__ == "__main__":
    sys.exit(main())
