"""What a lane asks of its device beside computing: copies, their order, and captured work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor

#: Computes the scores of whatever lies in the input that it was made for.
Program = Callable[[], Tensor]


class CaptureError(Exception):
    """A program could not be captured; the side that tried is of no more use."""


class Side(Protocol):
    """One thread's own side of a device; what is begun ``inside`` happens in that order."""

    def inside(self) -> AbstractContextManager[object]:
        """Order the work that is begun within behind what the caller has begun before."""
        ...

    def upload(self, pixels: Tensor, target: Tensor) -> None:
        """Begin to copy pixels to the device; they may be written again at once."""
        ...

    def download(self, values: Tensor) -> Tensor:
        """Begin to copy values from the device; they are there after ``wait``."""
        ...

    def capture(self, compute: Program) -> Program:
        """Return a faster program that does the same, to be called ``inside`` only.

        Raises CaptureError, and torch.OutOfMemoryError.
        """
        ...

    def wait(self) -> None:
        """Wait for all that was begun."""
        ...
