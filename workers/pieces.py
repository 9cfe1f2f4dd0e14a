"""Pieces: what a loader process takes, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from pipeline.fetch.downloads import Downloads, Got
from pipeline.records import Failure, FileFacts, Score
from workers.decoder import Decoded, Reuse

#: One image of those that are out: its piece, and its place in it.
Key = tuple[int, int]


class Piece(NamedTuple):
    """A few images for one loader process; ``reuse``: whose answers they may take.

    ``far``: they are downloaded before they are decoded, all of them or none.
    """

    id: int
    uris: tuple[str, ...]
    far: bool
    reuse: Reuse | None = None


class ImageNote(NamedTuple):
    """What is known of one image beside its pixels; times in ms.

    With ``scores`` it needs no model: bytes like its own were classified before.
    """

    failure: Failure | None
    facts: FileFacts
    read_ms: float
    decode_ms: float
    scores: tuple[Score, ...] = ()


class DecodedImages(NamedTuple):
    """Images of any pieces, and the pixels of those that need the model: uint8 (n, 224, 224, 3)."""

    keys: tuple[Key, ...]
    notes: tuple[ImageNote, ...]
    pixels: Tensor


class ImageDecoder(Protocol):
    """What a loader process does with images; it never raises, and is pickled into each process."""

    def __call__(self, uri: str, reuse: Reuse | None, /) -> Decoded:
        """Read and decode an image that is near."""
        ...

    def is_far(self, uri: str, /) -> bool:
        """Tell whether an image is downloaded before it is decoded."""
        ...

    def start_downloads(self, on_done: Callable[[Key, Got], None], /) -> Downloads[Key]:
        """Begin to download; ``on_done`` is called in a thread of its own."""
        ...

    def decode_fetched(self, got: Got, reuse: Reuse | None, /) -> Decoded:
        """Decode what a download gave."""
        ...
