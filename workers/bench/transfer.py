"""The transfer of pixels between processes: the loader as it is, with nothing to decode."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

import torch
from torch import Tensor

from pipeline.errors import EngineError
from pipeline.fetch.downloads import Got
from pipeline.records import FileFacts
from workers.decoder import Decoded, Reuse
from workers.geometry import CROP
from workers.loader import Loader
from workers.pieces import DecodedImages, Key, Piece

#: Pieces that are out for each loader process, as in the engine.
_OUT = 2
#: Nothing comes for so long: the loader processes are gone.
_PATIENCE_S = 60.0


@cache
def _pixels() -> Tensor:
    return torch.zeros(CROP, CROP, 3, dtype=torch.uint8)


@dataclass(frozen=True, slots=True)
class Echo:
    """A decoder that decodes nothing: the same pixels each time.

    ``version`` names its process and ``read_ms`` is the CPU time of that so far, in ms.
    """

    def __call__(self, _uri: str, _reuse: Reuse | None) -> Decoded:
        """Return pixels at once."""
        facts = FileFacts(version=str(os.getpid()))
        return Decoded(_pixels(), None, facts, time.process_time() * 1000)

    def is_far(self, _uri: str) -> bool:
        """Everything is near."""
        return False

    def start_downloads(self, _on_done: Callable[[Key, Got], None]) -> NoReturn:
        """Nothing is downloaded."""
        raise NotImplementedError

    def decode_fetched(self, _got: Got, _reuse: Reuse | None) -> NoReturn:
        """Nothing is downloaded."""
        raise NotImplementedError


def time_transfer(images: int, loaders: int, piece: int, memory: int) -> float:
    """Return the seconds of one core that it takes to move one image, on both sides together.

    Raises EngineError when the loader processes die of it.
    """
    came: queue.SimpleQueue[DecodedImages | Exception] = queue.SimpleQueue()
    loader = Loader(
        loaders,
        piece,
        Echo(),
        lambda _, images: came.put(images),
        lambda _, error: came.put(error),
        memory,
    )
    try:
        # The processes are there, and each has had something in hand.
        _pump(loader, came, 2 * _OUT * loaders, piece, _OUT * loaders)
        started = time.process_time()
        seen = _pump(loader, came, -(-images // piece), piece, _OUT * loaders)
        ours_s = time.process_time() - started
    finally:
        loader.close()
    return ours_s / (piece * len(seen)) + _theirs_s(seen)


def _pump(
    loader: Loader,
    came: queue.SimpleQueue[DecodedImages | Exception],
    pieces: int,
    piece: int,
    out: int,
) -> list[DecodedImages]:
    """Move so many pieces, with ``out`` of them under way; return what came, without pixels."""
    seen: list[DecodedImages] = []
    uris = ("echo",) * piece
    for number in range(pieces + out):
        if number < pieces:
            loader.put(Piece(number, uris, far=False))
        if number >= out:
            seen.append(_take(came)._replace(pixels=torch.empty(0)))
    return seen


def _take(came: queue.SimpleQueue[DecodedImages | Exception]) -> DecodedImages:
    try:
        found = came.get(timeout=_PATIENCE_S)
    except queue.Empty:
        raise EngineError("the loader processes do not start; try `imagemill doctor`") from None
    if isinstance(found, Exception):
        raise EngineError(f"the loader processes died ({found}); try `imagemill doctor`")
    return found


def _theirs_s(seen: list[DecodedImages]) -> float:
    """Return what an image took in the loader processes: their CPU time between two images."""
    times: dict[str | None, list[float]] = {}
    for images in seen:
        for note in images.notes:
            times.setdefault(note.facts.version, []).append(note.read_ms / 1000)
    between = sum(len(each) - 1 for each in times.values())
    return sum(max(each) - min(each) for each in times.values()) / max(1, between)
