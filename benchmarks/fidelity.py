"""The answers of each precision against the source's own snippet, photo by photo.

    .venv/bin/python benchmarks/fidelity.py FOLDER --weights FILE [--truth TABLE.csv]

Runs `imagemill run` over the pictures of FOLDER once for each precision, and computes the source's
answers here in float32. TABLE.csv (columns path, index) holds the true classes by file name.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import transforms

from workers.classifier.module import build_module
from workers.weights import find_weights, read_state

COMMAND = Path(sys.executable).with_name("imagemill")
PREPARE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


def main() -> None:
    options = read_options()
    truth = read_truth(options.truth) if options.truth else {}
    for precision in ("exact", "auto", "fast"):
        rows = run(options.folder, options.weights, precision)
        print(f"{precision}: {compare(rows, options.weights, truth)}", flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--truth", type=Path)
    return parser.parse_args()


def read_truth(table: Path) -> dict[str, int]:
    with table.open(encoding="utf-8") as file:
        return {Path(row["path"]).name: int(row["index"]) for row in csv.DictReader(file)}


def run(folder: Path, weights: str, precision: str) -> list[dict[str, Any]]:
    """Return the classified images of a run, as its JSONL export has them."""
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {"IMAGEMILL_DATABASE_URL": f"sqlite:///{place}/imagemill.db"}
        words = ["run", str(folder), "--weights", weights, "--precision", precision]
        for line in ([*words, "--name", "all"], ["predictions", "export", "--job", "all"]):
            done = subprocess.run(
                [COMMAND, *line], env=environment, capture_output=True, text=True, check=True
            )
    return [row for row in map(json.loads, done.stdout.splitlines()) if row["predictions"]]


@torch.inference_mode()
def compare(rows: list[dict[str, Any]], weights: str, truth: dict[str, int]) -> str:
    """Return in words how far the rows are from the source's snippet."""
    model = build_module(read_state(find_weights(weights).path))
    first = whole = ours = theirs = known = 0
    worst = 0.0
    for row in rows:
        pixels = PREPARE(Image.open(row["uri"]).convert("RGB")).unsqueeze(0)
        scores = torch.softmax(model(pixels)[0], 0)
        wanted = scores.topk(len(row["predictions"])).indices.tolist()
        got = [answer["index"] for answer in row["predictions"]]
        first += got[0] == wanted[0]
        whole += got == wanted
        worst = max(
            worst, *(abs(a["score"] - float(scores[a["index"]])) for a in row["predictions"])
        )
        true = truth.get(Path(row["uri"]).name)
        known += true is not None
        ours += got[0] == true
        theirs += wanted[0] == true
    accuracy = f", accuracy {ours / known:.1%} (source {theirs / known:.1%})" if known else ""
    return (
        f"{len(rows)} photos, same first label {first / len(rows):.1%}, same labels in order "
        f"{whole / len(rows):.1%}, largest score difference {worst:.1e}{accuracy}"
    )


if __name__ == "__main__":
    main()
