"""A stand-in for what no machine here has: just enough of ``torch.cuda`` for ``CudaSide``.

A capture records torch's own operations; a replay does them again into the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workers.classifier import cuda_side


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps each operation with the memory that it wrote."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, made))
        return made

    @torch.inference_mode()
    def replay(self) -> None:
        for func, args, kwargs, made in self.steps:
            again = func(*args, **kwargs)
            if isinstance(made, Tensor) and made.data_ptr() != again.data_ptr():
                made.copy_(again)


class StandIn:
    """What was asked of it, in order, and what goes wrong: ``at_capture`` is raised in one."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.graphs: list[Any] = []
        self.at_capture: Exception | None = None
        self.at_end: Exception | None = None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        stream = self._stream
        patch.setattr(torch.cuda, "Stream", lambda _device: stream("own"))
        patch.setattr(torch.cuda, "current_stream", lambda _device: stream("caller"))
        patch.setattr(torch.cuda, "stream", nullcontext)
        patch.setattr(torch.cuda, "Event", self._event)
        patch.setattr(torch.cuda, "CUDAGraph", self._graph)
        patch.setattr(torch.cuda, "graph", self._capture)
        patch.setattr(torch.cuda, "graph_pool_handle", object)
        patch.setattr(cuda_side, "_pinned", self._pinned)

    def _pinned(self, size: int) -> Tensor:
        self.log.append(f"pin {size}")
        return torch.empty(size, dtype=torch.uint8)

    def _stream(self, name: str) -> Any:
        return _Talker(self.log, name)

    def _event(self) -> Any:
        return _Talker(self.log, "event")

    def _graph(self) -> Any:
        self.graphs.append(Tape())
        return self.graphs[-1]

    @contextmanager
    def _capture(self, graph: Tape, **options: Any) -> Iterator[None]:
        assert options["capture_error_mode"] == "thread_local"
        try:
            with graph:
                yield
                if self.at_capture:
                    raise self.at_capture
        finally:
            if self.at_end:
                raise self.at_end


class _Talker:
    def __init__(self, log: list[str], name: str) -> None:
        self._log, self._name = log, name

    def __getattr__(self, what: str) -> Callable[..., None]:
        return lambda *_: self._log.append(f"{self._name} {what}")
