"""A lane: what one forward thread has for itself on a device, with a program for each size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from workers.classifier.side import Program, Side

#: Pixels of shape (n, 224, 224, 3) on the device in, scores (n, classes) out.
Score = Callable[[Tensor], Tensor]


class Lane:
    """Used by one thread at a time; after an error it is thrown away, with all its memory.

    Each size of batch has an input of its own that never moves: a captured program knows its
    memory by address. Without ``captures`` the programs are plain calls.
    """

    def __init__(self, score: Score, device: torch.device, side: Side, *, captures: bool) -> None:
        self._score = score
        self._device = device
        self._side = side
        self._captures = captures
        self._inputs: dict[int, Tensor] = {}
        self._programs: dict[int, Program] = {}

    @torch.inference_mode()
    def start(self, pixels: Tensor, size: int, top_k: int) -> tuple[Tensor, Tensor]:
        """Begin to classify pixels, padded up to ``size``; the answers are there after ``wait``.

        Returns class indexes and scores, a row for each image. Raises CaptureError, and what the
        device raises.
        """
        count = len(pixels)
        with self._side.inside():
            if size not in self._programs:
                self._programs[size] = self._make_program(size)
            # What is left in the other rows is computed, and nobody looks at it.
            self._side.upload(pixels, self._inputs[size][:count])
            scores = self._programs[size]()[:count]
            # Not captured: top_k belongs to the jobs in a batch, and a graph would fix it.
            best, indexes = scores.topk(min(top_k, scores.shape[1]))
            return self._side.download(indexes), self._side.download(best)

    def wait(self) -> None:
        """Wait for all that was begun."""
        self._side.wait()

    def _make_program(self, size: int) -> Program:
        shape = (size, 224, 224, 3)
        self._inputs[size] = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        compute = partial(self._score, self._inputs[size])
        return self._side.capture(compute) if self._captures else compute
