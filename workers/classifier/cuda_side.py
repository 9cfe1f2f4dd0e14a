"""A thread's own side of a CUDA device: a stream, pinned memory, and graphs captured on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from workers.classifier.side import CaptureError, Program

#: A process may capture one graph at a time (PyTorch's CUDA graphs).
_CAPTURING = threading.Lock()
#: Calls before a capture: libraries choose their kernels and take their memory in the first ones.
_WARM_UPS = 2


class CudaSide:
    """What is begun ``inside`` goes to one stream, in order; other sides go on meanwhile.

    Its graphs share one pool of memory: they run one after another, and each of them computes
    everything anew from its own input.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._staging = torch.empty(0, dtype=torch.uint8)
        self._uploaded = torch.cuda.Event()  # type: ignore[no-untyped-call]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Make its stream the current one, behind what the caller's stream has begun."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield

    def upload(self, pixels: Tensor, target: Tensor) -> None:
        """Begin to copy uint8 pixels: through pinned memory, or from the device itself."""
        if not pixels.is_cuda:
            pixels = self._stage(pixels)
        target.copy_(pixels, non_blocking=True)
        self._uploaded.record(self._stream)

    def download(self, values: Tensor) -> Tensor:
        """Begin to copy values; torch takes pinned memory for what comes without blocking."""
        return values.to("cpu", non_blocking=True)

    def capture(self, compute: Program) -> Program:
        """Capture ``compute`` in a graph; the program replays it, and gives the same tensor.

        Raises CaptureError, and torch.OutOfMemoryError.
        """
        try:
            with _CAPTURING:
                return self._capture(compute)
        except Exception as error:
            reason, no_room = repr(error), _is_out_of_memory(error)
        # Outside of the handler: the error's traceback holds memory of the device.
        if no_room:
            raise torch.OutOfMemoryError(reason)
        raise CaptureError(reason)

    def wait(self) -> None:
        """Wait for all that was begun on its stream."""
        self._stream.synchronize()

    def _stage(self, pixels: Tensor) -> Tensor:
        # The last copy out of this memory may still be under way.
        self._uploaded.synchronize()
        if self._staging.numel() < pixels.numel():
            self._staging = _pinned(pixels.numel())
        return self._staging[: pixels.numel()].view(pixels.shape).copy_(pixels)

    def _capture(self, compute: Program) -> Program:
        for _ in range(_WARM_UPS):
            compute()
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # thread_local: what other threads do meanwhile is no part of this, and does not end it.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            scores = compute()

        def replay() -> Tensor:
            graph.replay()
            return scores

        return replay


def _pinned(size: int) -> Tensor:
    return torch.empty(size, dtype=torch.uint8, pin_memory=True)


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Look behind it, too: the end of a capture that failed raises an error of its own."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        error = error.__context__
    return False
