"""A CPU's side: nothing to wait for, and programs that fail to be captured as they are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

from workers.classifier.side import Program


class PlainSide:
    """Copies at once; ``on_capture`` sees each program before it is called captured."""

    def __init__(self, on_capture: Callable[[Program], None] = lambda _: None) -> None:
        self._on_capture = on_capture

    def inside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def upload(self, pixels: Tensor, target: Tensor) -> None:
        target.copy_(pixels)

    def download(self, values: Tensor) -> Tensor:
        return values

    def capture(self, compute: Program) -> Program:
        self._on_capture(compute)
        return compute

    def wait(self) -> None:
        """Nothing is ever under way."""
