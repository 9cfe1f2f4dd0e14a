"""Daft's documented recipe: download, decode and resize in the engine, the model in a class.

https://docs.daft.ai/en/stable/modalities/images/ and .../custom-code/cls/. Batches of 32. Its
resize is its own (224 x 224 at once, the picture's shape is lost), so its answers are not the
source's: the source's transform in a function of Python would be slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import daft
import numpy as np
import torch
from daft.functions import decode_image, download, resize

from workers.bench.peers.model import NORMALIZE, load
from workers.bench.peers.steady import steady_rate
from workers.bench.peers.task import Task, read_task, tell


@daft.cls
class Classifier:
    """Holds the model."""

    def __init__(self, weights: str, device: str) -> None:
        self._model, self._device = load(weights, device), device

    @daft.method.batch(return_dtype=daft.DataType.list(daft.DataType.int64()), batch_size=32)
    def classify(self, images: Any) -> list[list[int]]:
        """Return the best five classes of each image."""
        pixels = torch.from_numpy(np.stack(images.to_pylist())).to(self._device)
        planes = NORMALIZE(pixels.permute(0, 3, 1, 2).float().div(255))
        with torch.inference_mode():
            best = torch.topk(torch.softmax(self._model(planes), 1), 5)
        classes: list[list[int]] = best.indices.tolist()
        return classes


def main() -> None:
    """Print the recipe's images/s; the load of its model is left out."""
    task = read_task()
    tell(steady_rate(partial(_classify, task), task.pictures))


def _classify(task: Task, pictures: Sequence[str]) -> int:
    frame = daft.from_pydict({"path": list(pictures)})
    frame = frame.with_column("image", decode_image(download(frame["path"]), mode="RGB"))
    frame = frame.with_column("image", resize(frame["image"], 224, 224))
    model = Classifier(task.weights, task.device)
    frame = frame.with_column("classes", model.classify(frame["image"]))
    return len(frame.select("path", "classes").to_pydict()["classes"])


if __name__ == "__main__":
    main()
