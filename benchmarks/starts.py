"""The real engine started again and again, and kept at work for long: does it ever crash?

    .venv/bin/python benchmarks/starts.py FOLDER [--starts 300] [--batches 20000] [--weights FILE]

Each start is a process of its own, `imagemill classify` over a few pictures of FOLDER; its exit
code has to be 0 and its answers the first one's, to four digits. Then one classifier computes the
batches, in as many threads as there are cores, and each answer has to be the first one's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from pipeline.records import Precision
from workers.classifier.making import list_engines, make_classifier
from workers.cores import count_cores
from workers.decode import decode
from workers.memory import keep_memory
from workers.weights import find_weights, read_state

COMMAND = Path(sys.executable).with_name("imagemill")
CPU = torch.device("cpu")


def main() -> None:
    options = read_options()
    pictures = sorted(path for path in options.folder.iterdir() if path.is_file())[:8]
    started = time.perf_counter()
    ends = Counter(start(pictures, options) for _ in range(options.starts))
    took_s = time.perf_counter() - started
    print(f"{options.starts} starts, {took_s / max(1, options.starts):.1f} s each: {summary(ends)}")
    wrong = compute(pictures, options)
    engine = list_engines(options.precision, CPU)[0]
    print(f"{options.batches} batches of {len(pictures)} by {engine}: {wrong} with other answers")
    sys.exit(bool(wrong or len(ends) > 1 or next(iter(ends), (0, ""))[0]))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--precision", type=Precision, default=Precision.AUTO)
    return parser.parse_args()


def start(pictures: list[Path], options: argparse.Namespace) -> tuple[int, str]:
    """Return the exit code and the answers of one start."""
    words = [COMMAND, "classify", *pictures, "--weights", options.weights, "--json"]
    done = subprocess.run(
        [*map(str, words), "--precision", options.precision],
        env=os.environ | {"IMAGEMILL_TUNE": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = map(json.loads, done.stdout.splitlines())
    found = [
        (row["uri"], [(p["label"], round(p["score"], 4)) for p in labels(row)]) for row in rows
    ]
    return done.returncode, repr(found)


def labels(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the predictions of a row; scores of one image in two batches differ by 1e-7."""
    return row["predictions"] or []


def summary(ends: Counter[tuple[int, str]]) -> str:
    codes = Counter({code: 0 for code, _ in ends})
    for (code, _), count in ends.items():
        codes[code] += count
    said = ", ".join(f"{count} with exit code {code}" for code, count in codes.items())
    return f"{said}; {len(ends)} different outputs"


def compute(pictures: list[Path], options: argparse.Namespace) -> int:
    """Return how many of the batches had other answers than the first."""
    keep_memory()
    state = read_state(find_weights(options.weights).path)
    engine = list_engines(options.precision, CPU)[0]
    streams = count_cores()
    classifier = make_classifier(state, options.precision, CPU, engine, streams)
    images = (decode(path.read_bytes(), options.precision, 2**30)[0] for path in pictures)
    pixels = torch.stack(list(images))
    first = classifier.classify(pixels, 5)
    with ThreadPoolExecutor(streams) as threads:
        found = threads.map(lambda _: classifier.classify(pixels, 5), range(options.batches))
        return sum(answers != first for answers in found)


if __name__ == "__main__":
    main()
