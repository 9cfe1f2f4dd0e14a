"""Ray Data's documented recipe for batch inference on images.

https://docs.ray.io/en/latest/data/working-with-images.html: read_images, a transform in ``map``,
and ``map_batches`` with a pool of actors that hold the model. Batches of 32; an actor for each GPU,
or for every second core, since reading and the transform need the others.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import ray
import torch
from torchvision import transforms

from workers.bench.peers.model import NORMALIZE, load
from workers.bench.peers.steady import steady_rate
from workers.bench.peers.task import Task, read_task, tell

_PREPARE = transforms.Compose(
    [transforms.ToTensor(), transforms.Resize(256), transforms.CenterCrop(224), NORMALIZE]
)


class Classifier:
    """An actor of the pool: it holds the model."""

    def __init__(self, weights: str, device: str) -> None:
        self._model, self._device = load(weights, device), device

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the best five classes of each image."""
        pixels = torch.from_numpy(batch["image"]).to(self._device)
        with torch.inference_mode():
            best = torch.topk(torch.softmax(self._model(pixels), 1), 5)
        return {"classes": best.indices.cpu().numpy(), "scores": best.values.cpu().numpy()}


def main() -> None:
    """Print the recipe's images/s; the start of its actors is left out."""
    task = read_task()
    on_gpu = task.device.startswith("cuda")
    ray.init(
        num_cpus=task.cores,
        num_gpus=int(on_gpu),
        include_dashboard=False,
        logging_level=logging.ERROR,
        _temp_dir=tempfile.gettempdir(),
    )
    try:
        tell(steady_rate(partial(_classify, task, on_gpu), task.pictures))
    finally:
        ray.shutdown()


def _classify(task: Task, on_gpu: bool, pictures: Sequence[str]) -> int:
    images = ray.data.read_images(list(pictures), mode="RGB").map(_transform)
    found = images.map_batches(
        Classifier,
        fn_constructor_args=(task.weights, "cuda" if on_gpu else "cpu"),
        compute=ray.data.ActorPoolStrategy(size=1 if on_gpu else max(1, task.cores // 2)),
        num_gpus=1 if on_gpu else None,
        batch_size=32,
    )
    return sum(len(batch["classes"]) for batch in found.iter_batches(batch_size=None))


def _transform(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": np.asarray(_PREPARE(row["image"]))}


if __name__ == "__main__":
    main()
