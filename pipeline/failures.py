"""The one exception of a single image: it carries the failure that becomes the image's outcome."""

from __future__ import annotations

from pipeline.records import Failure, FailureCode
from pipeline.references import storable

#: A message longer than this says nothing more.
LONGEST_MESSAGE = 300


class PictureError(Exception):
    """An image that cannot be read or decoded; whoever works on that image turns it into data."""

    def __init__(self, code: FailureCode, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(code, message)
        self.failure = Failure(code, storable(message)[:LONGEST_MESSAGE], retry_after_s)

    def __str__(self) -> str:
        return self.failure.message
