"""A model whose answers are easy to check, and an engine around it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import decoders
from torch import Tensor

from pipeline.fetch.downloads import Got
from pipeline.records import Provenance
from workers.decoder import Decoded, Reuse
from workers.engine.engine import Engine, EngineOptions
from workers.pieces import Key

OPTIONS = EngineOptions(
    max_batch=8, max_wait_ms=5, loaders=2, streams=2, piece=4, image_timeout_s=25
)


class Echo:
    """Answers with the picture's first pixel as its class, and keeps what was in its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def classify(self, pixels: Tensor, top_k: int) -> tuple[list[list[int]], list[list[float]]]:
        """Return each number as its class, ``top_k`` times, with the score 0.5."""
        numbers = [int(n) for n in pixels[:, 0, 0, 0].tolist()]
        self.batches.append(numbers)
        self.misbehave(numbers)
        return [[n] * top_k for n in numbers], [[0.5] * top_k for _ in numbers]

    def misbehave(self, numbers: list[int]) -> None:
        """Nothing here."""


@dataclass(frozen=True, slots=True)
class Near:
    """A decoder of images that are all near: a function of their uris."""

    decode: Callable[[str], Decoded]

    def __call__(self, uri: str, _reuse: Reuse | None) -> Decoded:
        return self.decode(uri)

    def is_far(self, _uri: str) -> bool:
        return False

    def start_downloads(self, _on_done: Callable[[Key, Got], None]) -> NoReturn:
        raise NotImplementedError

    def decode_fetched(self, _got: Got, _reuse: Reuse | None) -> NoReturn:
        raise NotImplementedError


def echo_engine(
    model: Echo | None = None,
    decode: Callable[[str], Decoded] = decoders.decode_number,
    options: EngineOptions = OPTIONS,
) -> Engine:
    """Start an engine with real loader processes around an Echo."""
    return Engine(model or Echo(), Near(decode), options, Provenance(engine="echo"))


def loader_pids() -> set[int]:
    """Return this process's loader processes: the children of its fork server."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = entry.read_text().split(" (", 1)
        except OSError:
            continue
        parents.setdefault(int(rest.rpartition(")")[2].split()[1]), []).append(int(pid))
    children = parents.get(os.getpid(), [])
    return {pid for child in children for pid in parents.get(child, [])}
