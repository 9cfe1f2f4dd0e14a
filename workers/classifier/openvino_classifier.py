"""OpenVINO's classifier: the CPU's, in float32, or for ``fast`` in bfloat16."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
import torch
from torch import Tensor

from pipeline.records import Precision
from workers.classifier.classifier import Found
from workers.classifier.numbers import compute_dtype
from workers.classifier.openvino_graph import build_graph
from workers.weights import State

#: OpenVINO's names of the numbers that we compute in.
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}

#: Images that a graph computes at once at most: the features of more of them leave a core's cache
#: (268 images/s by 2, 250 by 4, 210 by 16; in bfloat16 459, 496, 412: an EPYC, 2 cores).
_LARGEST = {torch.float32: 2, torch.bfloat16: 4}


class OpenVinoClassifier:
    """MobileNet v2 with one graph for each size of batch: fixed shapes are the fastest.

    ``state`` is a checked state dict. ``streams`` threads call it at once, and each keeps one core
    busy.
    """

    def __init__(self, state: State, precision: Precision, streams: int) -> None:
        self._state = state
        self._dtype = compute_dtype(precision, torch.device("cpu"))
        self._options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "INFERENCE_PRECISION_HINT": _HINTS[self._dtype],
            # The loader processes work on the same cores, and move as the scheduler wants.
            "ENABLE_CPU_PINNING": False,
        }
        self._largest = _LARGEST[self._dtype]
        self._core = ov.Core()
        self._compiled: dict[int, Any] = {}
        self._compiling = threading.Lock()
        self._own = threading.local()

    @property
    def name(self) -> str:
        """``openvino-float32`` or ``openvino-bfloat16``."""
        return f"openvino-{str(self._dtype).removeprefix('torch.')}"

    def classify(self, pixels: Tensor, top_k: int) -> Found:
        """Return class indexes and softmax scores of uint8 pixels (n, 224, 224, 3), best first."""
        images: npt.NDArray[np.uint8] = pixels.numpy()
        cuts = _split(len(images), self._largest)
        parts = [self._infer(images[start:stop]) for start, stop in cuts]
        scores = torch.from_numpy(np.concatenate(parts))
        best, indexes = scores.topk(min(top_k, scores.shape[1]))
        return indexes.tolist(), best.tolist()

    def _infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # Not shared: the request is used again before these scores are.
        found: npt.NDArray[np.float32] = self._request(len(images)).infer(
            [images], share_outputs=False
        )[0]
        return found

    def _request(self, size: int) -> Any:
        """Return this thread's own request: one request computes one batch at a time."""
        requests: dict[int, Any] = self._own.__dict__.setdefault("requests", {})
        if size not in requests:
            requests[size] = self._compile(size).create_infer_request()
        return requests[size]

    def _compile(self, size: int) -> Any:
        with self._compiling:
            if size not in self._compiled:
                graph = build_graph(self._state, size)
                self._compiled[size] = self._core.compile_model(graph, "CPU", self._options)
            return self._compiled[size]


def _split(count: int, largest: int) -> list[tuple[int, int]]:
    """Cut a batch into sizes that are powers of two, so that few graphs are made: 7 is 4, 2, 1."""
    parts, start = [], 0
    while start < count:
        size = min(largest, 1 << ((count - start).bit_length() - 1))
        parts.append((start, start + size))
        start += size
    return parts
