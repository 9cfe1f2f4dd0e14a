"""Decoders for the engine's tests: they do what hostile pictures would do to a loader process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import torch

from pipeline.records import Failure, FailureCode, FileFacts
from workers.decode import Decoded


def decode_number(uri: str) -> Decoded:
    """Make pixels of the number behind the last colon; misbehave as the word before it says.

    ``segv``, ``exit``: dies each time. ``once``: dies the first time only (``/path/of/mark``).
    ``hang``: never returns. ``bad``: a failure. ``far://path/of/mark``: fails the first time for a
    reason that may pass.
    """
    kind, _, number = uri.rpartition(":")
    if kind.endswith("segv"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind.endswith("exit"):
        os._exit(7)
    if kind.endswith("hang"):
        time.sleep(1e6)
    if kind.endswith("bad"):
        return Decoded(None, Failure(FailureCode.NOT_AN_IMAGE, "it is bad"), FileFacts())
    if kind.startswith("far://") and not Path(mark := kind.removeprefix("far:/")).exists():
        if Path(mark).parent.is_dir():
            Path(mark).touch()
        return Decoded(None, Failure(FailureCode.CONNECT_ERROR, "not now"), FileFacts())
    if kind.endswith("once") and not Path(kind).exists():
        Path(kind).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    pixels = torch.full((224, 224, 3), int(number) % 256, dtype=torch.uint8)
    return Decoded(pixels, None, FileFacts(size=int(number)), 1.0, 2.0)


class DiesAtStart:
    """A decoder that kills each process as soon as it arrives there."""

    def __call__(self, uri: str) -> Decoded:
        raise AssertionError(f"{uri} is never decoded")

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)
