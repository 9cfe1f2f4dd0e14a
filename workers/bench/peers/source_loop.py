"""The source's own sample run in a loop, one image at a time.

https://pytorch.org/hub/pytorch_vision_mobilenet_v2/ (it moves to CUDA where there is a GPU, too)
"""

from __future__ import annotations

import time

import torch
from PIL import Image

from workers.bench.peers.model import PREPARE, load
from workers.bench.peers.task import read_task, tell


def main() -> None:
    """Print the loop's images/s, without imports and model."""
    task = read_task()
    model = load(task.weights, task.device)
    started = time.perf_counter()
    with torch.no_grad():
        for path in task.pictures:
            pixels = PREPARE(Image.open(path).convert("RGB")).unsqueeze(0).to(task.device)
            best = torch.topk(torch.softmax(model(pixels)[0], 0), 5)
            best.indices.tolist()
    tell(len(task.pictures) / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
