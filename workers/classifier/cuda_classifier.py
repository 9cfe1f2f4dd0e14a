"""Torch's classifier on CUDA: batches of a few fixed sizes, each size captured in a graph.

Not measured yet: no GPU was at hand. Its parts run in the tests on a CPU.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from workers.classifier.classifier import Found
from workers.classifier.lane import Lane
from workers.classifier.scoring import Scoring
from workers.classifier.side import CaptureError, Side
from workers.classifier.sizes import SIZES, Part, cut, size_below

log = logging.getLogger(__name__)


class CudaClassifier:
    """MobileNet v2 on one device; each thread that calls has a lane of its own.

    So two threads overlap copies and computing without a lock, for twice the memory: graphs that
    run at the same time may share none. ``make_side`` gives a thread its side of the device.
    """

    def __init__(self, scoring: Scoring, make_side: Callable[[], Side]) -> None:
        self._scoring = scoring
        self._make_side = make_side
        self._largest = SIZES[-1]
        self._captures = True
        self._own = threading.local()

    @property
    def name(self) -> str:
        """``torch-float16`` and the like."""
        return self._scoring.name

    def classify(self, pixels: Tensor, top_k: int) -> Found:
        """Return class indexes and softmax scores of uint8 pixels (n, 224, 224, 3), best first.

        The pixels may be on the device already. Raises what the device raises; after
        torch.OutOfMemoryError no batch is as large again, and this thread's memory is given back.
        """
        try:
            return self._classify(pixels, top_k)
        except CaptureError as error:
            reason = str(error)
        # Outside of the handler: the error's traceback holds memory of the device.
        if self._captures:
            self._captures = False
            log.warning("computing without CUDA graphs, which is slower: %s", reason)
        return self._classify(pixels, top_k)

    def _classify(self, pixels: Tensor, top_k: int) -> Found:
        parts = cut(len(pixels), self._largest)
        lane = self._lane()
        try:
            answers = [lane.start(pixels[p.start : p.stop], p.size, top_k) for p in parts]
            lane.wait()
        except Exception as error:
            self._give_up(lane, parts, error)
            raise
        indexes, scores = zip(*answers, strict=True)
        return torch.cat(indexes).tolist(), torch.cat(scores).tolist()

    def _lane(self) -> Lane:
        """Return this thread's lane: a new one when another thread found less room than before."""
        if getattr(self._own, "largest", None) != self._largest:
            # First away with the old one: there may be no room for both.
            self._own.__dict__.clear()
            self._own.largest = self._largest
            self._own.lane = Lane(
                self._scoring, self._scoring.device, self._make_side(), captures=self._captures
            )
        lane: Lane = self._own.lane
        return lane

    def _give_up(self, lane: Lane, parts: list[Part], error: Exception) -> None:
        """Forget a lane whose work may be half done; all of it, since its graphs share memory."""
        if isinstance(error, torch.OutOfMemoryError):
            tried = max(part.size for part in parts)
            self._largest = min(self._largest, size_below(tried))
        with suppress(RuntimeError):  # What is lost shows itself again at the next batch.
            lane.wait()
        self._own.__dict__.clear()
