"""The steady rate of `run` against the source's own loop, side by side in one session.

    .venv/bin/python benchmarks/rate.py FOLDER [--weights FILE] [--precision auto] [--rounds 3]

Each round times the source's snippet over some pictures of FOLDER, then `imagemill run` over a
small and a large job of links to the same pictures. The difference of the two leaves the start-up
out: (large - small images) / (large - small seconds). Medians of the rounds, and their spread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("imagemill")

#: The source's sample run, one image at a time, on torchvision's own architecture.
SOURCE_LOOP = """
import sys, time
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import mobilenet_v2
model = mobilenet_v2().eval()
prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224),
    transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
started = time.perf_counter()
with torch.no_grad():
    for file in sys.argv[1:]:
        pixels = prepare(Image.open(file).convert("RGB")).unsqueeze(0)
        torch.topk(torch.softmax(model(pixels)[0], 0), 5)
print(time.perf_counter() - started)
"""


def main() -> None:
    options = read_options()
    pictures = sorted(path for path in options.folder.iterdir() if path.is_file())
    rows: list[tuple[float, float]] = []
    for number in range(options.rounds):
        source, ours = source_rate(pictures[:100]), run_rate(pictures, options)
        rows.append((source, ours))
        print(f"round {number + 1}: source {source:6.1f}, run {ours:6.1f} images/s", flush=True)
    source, ours = (statistics.median(column) for column in zip(*rows, strict=True))
    ratios = [ours / source for source, ours in rows]
    print(
        f"median: source {source:.1f}, run {ours:.1f} images/s, "
        f"{statistics.median(ratios):.2f} times (from {min(ratios):.2f} to {max(ratios):.2f})"
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=200, help="images of the small job")
    parser.add_argument("--large", type=int, default=1400, help="images of the large job")
    return parser.parse_args()


def source_rate(pictures: list[Path]) -> float:
    """Return the source's images/s over the pictures."""
    done = subprocess.run(
        [sys.executable, "-c", SOURCE_LOOP, *map(str, pictures)],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(pictures) / float(done.stdout)


def run_rate(pictures: list[Path], options: argparse.Namespace) -> float:
    """Return the images/s of `run` between the small and the large job."""
    small, large = (run_seconds(pictures, n, options) for n in (options.small, options.large))
    return float((options.large - options.small) / (large - small))


def run_seconds(pictures: list[Path], count: int, options: argparse.Namespace) -> float:
    """Time one whole `imagemill run` over ``count`` links to the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        for n in range(count):
            (Path(folder) / f"{n:06}.jpg").symlink_to(pictures[n % len(pictures)].absolute())
        database = f"sqlite:///{folder}/imagemill.db"
        words = [COMMAND, "run", folder, "--weights", options.weights]
        started = time.perf_counter()
        subprocess.run(
            [*words, "--precision", options.precision],
            env=os.environ | {"IMAGEMILL_DATABASE_URL": database},
            capture_output=True,
            check=True,
        )
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
