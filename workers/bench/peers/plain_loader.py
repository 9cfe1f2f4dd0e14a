"""A plain DataLoader loop, as most scripts have it: a process for each core, batches of 32.

https://docs.pytorch.org/docs/stable/data.html
"""

from __future__ import annotations

import time

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from workers.bench.peers.model import PREPARE, load
from workers.bench.peers.task import read_task, tell


class _Pictures(Dataset[Tensor]):
    def __init__(self, paths: list[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        pixels: Tensor = PREPARE(Image.open(self._paths[index]).convert("RGB"))
        return pixels


def main() -> None:
    """Print the loop's images/s, without imports and model, but with the start of its processes."""
    task = read_task()
    model = load(task.weights, task.device)
    batches = DataLoader(_Pictures(task.pictures), batch_size=32, num_workers=task.cores)
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            best = torch.topk(torch.softmax(model(batch.to(task.device)), 1), 5)
            best.indices.tolist()
    tell(len(task.pictures) / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
