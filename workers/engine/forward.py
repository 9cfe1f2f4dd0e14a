"""The forward threads: batches from the batcher through the classifier to their requests."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.records import Failure, FailureCode, Score
from workers.batcher import Batcher
from workers.classifier import Classifier, Found
from workers.engine.requests import Request


class Ticket(NamedTuple):
    """A decoded image on its way to the model: uint8 pixels of shape (224, 224, 3)."""

    request: Request
    position: int
    pixels: Tensor


class Forward:
    """Threads, each with one batch in the model at a time.

    ``on_done(tickets)`` hears of every batch that has left, ``on_fatal(error)`` of a device that
    cannot go on.
    """

    def __init__(
        self,
        classifier: Classifier,
        batcher: Batcher[Ticket],
        streams: int,
        on_done: Callable[[Sequence[Ticket]], None],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self._classifier = classifier
        self._batcher = batcher
        self._on_done = on_done
        self._on_fatal = on_fatal
        self._threads = [
            threading.Thread(target=self._run, name=f"forward-{n}", daemon=True)
            for n in range(streams)
        ]
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait so long for the threads to end; they do once the batcher is closed and empty."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        torch.set_num_threads(1)  # The streams share the cores; OpenMP's would fight for them.
        while True:
            tickets, waited_s = self._batcher.next_batch()
            if not tickets:
                return
            try:
                self._forward(tickets, waited_s * 1000)
            except Exception as error:
                self._on_fatal(error)
                return
            self._on_done(tickets)

    def _forward(self, tickets: Sequence[Ticket], waited_ms: float) -> None:
        """Classify a batch; one that fails is halved until the culprit is alone."""
        started = time.perf_counter()
        found = self._try(tickets)
        if isinstance(found, Exception):
            self._split(tickets, waited_ms, found)
            return
        # The ride before the answers: the last answer of a request ends it.
        _note_ride(tickets, waited_ms, (time.perf_counter() - started) * 1000)
        for ticket, classes, values in zip(tickets, *found, strict=True):
            _answer(ticket, classes, values)

    def _try(self, tickets: Sequence[Ticket]) -> Found | Exception:
        try:
            pixels = torch.stack([ticket.pixels for ticket in tickets])
            return self._classifier.classify(pixels, max(t.request.top_k for t in tickets))
        except Exception as error:
            # Its traceback holds the batch's tensors, which have to go when memory is short.
            return error.with_traceback(None)

    def _split(self, tickets: Sequence[Ticket], waited_ms: float, error: Exception) -> None:
        if is_fatal(error) or (len(tickets) == 1 and isinstance(error, torch.OutOfMemoryError)):
            raise error  # All images are of one size: no room for one is room for none.
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            self._batcher.shrink(len(tickets) // 2)
        if len(tickets) == 1:
            tickets[0].request.fail(tickets[0].position, _model_error(error))
            return
        middle = len(tickets) // 2
        self._forward(tickets[:middle], waited_ms)
        self._forward(tickets[middle:], waited_ms)


def is_fatal(error: Exception) -> bool:
    """Tell whether the device is lost for this process: any CUDA error but out of memory."""
    lost = any(words in str(error) for words in ("CUDA error", "cuDNN error", "CUDNN_STATUS"))
    return lost and not isinstance(error, torch.OutOfMemoryError)


def _answer(ticket: Ticket, classes: list[int], values: list[float]) -> None:
    if not all(map(math.isfinite, values)):
        failure = Failure(FailureCode.MODEL_ERROR, "the model's scores for it are not finite")
        ticket.request.fail(ticket.position, failure)
        return
    best = zip(classes[: ticket.request.top_k], values, strict=False)
    ticket.request.classify(ticket.position, tuple(Score(*pair) for pair in best))


def _note_ride(tickets: Sequence[Ticket], waited_ms: float, forward_ms: float) -> None:
    for request, share in Counter(ticket.request for ticket in tickets).items():
        request.ride(share, len(tickets), waited_ms, forward_ms)


def _model_error(error: Exception) -> Failure:
    reason = (str(error).splitlines() or [""])[0]
    return Failure(FailureCode.MODEL_ERROR, f"the model failed on it ({reason})")
