"""Pieces: what a loader process takes, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pipeline.fetch.downloads import Downloads, Got
from pipeline.records import Failure, FileFacts, Score
from workers.decoder import Decoded, Reuse
from workers.jpegs import Jpeg, JpegNote

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

    With ``scores`` it needs no model: bytes like its own were classified before. With ``jpeg`` it
    is decoded by a GPU.
    """

    failure: Failure | None
    facts: FileFacts
    read_ms: float
    decode_ms: float
    scores: tuple[Score, ...] = ()
    jpeg: JpegNote | None = None


class DecodedImages(NamedTuple):
    """Images of any pieces, and the pixels of those that need the model: uint8 (n, 224, 224, 3).

    ``jpegs``: the bytes of those that a GPU decodes, uint8, one file behind the other.
    """

    keys: tuple[Key, ...]
    notes: tuple[ImageNote, ...]
    pixels: Tensor
    jpegs: Tensor | None = None

    def pictures(self) -> Iterator[Tensor | Jpeg | None]:
        """Yield the pixels (224, 224, 3) or the JPEG of each image, None of one without."""
        lengths = [note.jpeg.length for note in self.notes if note.jpeg]
        files = iter(() if self.jpegs is None else torch.split(self.jpegs, lengths))
        rows = iter(self.pixels)
        for note in self.notes:
            if note.failure or note.scores:
                yield None
            elif note.jpeg:
                yield Jpeg(next(files), note.jpeg)
            else:
                yield next(rows)


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
