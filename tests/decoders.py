"""Decoders for the engine's tests: they do what hostile pictures would do to a loader process."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pipeline.records import Failure, FailureCode, FileFacts
from workers.decoder import Decoded


def decode_number(uri: str) -> Decoded:
    """Make pixels of the number behind the last colon; misbehave as the word before it says.

    ``segv``, ``exit``: dies each time. ``once`` (``/path/of/once:1``): dies the first time only.
    ``hang``, ``stuck``: never returns. ``slow``: takes 0.8 s. ``bad``: a failure.
    ``far`` (``far://path/of/mark:1``): fails the first time, for a reason that may pass.
    """
    kind, _, number = uri.rpartition(":")
    if kind.startswith("far://"):
        failure = _first_time(Path(kind.removeprefix("far:/")))
    else:
        misdeed = _MISDEEDS.get(kind.rpartition("/")[2])
        failure = misdeed(kind) if misdeed else None
    if failure:
        return Decoded(None, failure, FileFacts())
    pixels = torch.full((224, 224, 3), int(number) % 256, dtype=torch.uint8)
    return Decoded(pixels, None, FileFacts(size=int(number)), 1.0, 2.0)


def _first_time(mark: Path) -> Failure | None:
    if mark.exists():
        return None
    if mark.parent.is_dir():
        mark.touch()
    return Failure(FailureCode.CONNECT_ERROR, "not now")


def _die(_: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _leave(_: str) -> None:
    os._exit(7)


def _die_once(mark: str) -> None:
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _keep_the_interpreter(_: str) -> None:
    ctypes.PyDLL(None).sleep(100_000)  # PyDLL: nothing else of this process runs meanwhile


_MISDEEDS: dict[str, Callable[[str], Failure | None]] = {
    "segv": _die,
    "exit": _leave,
    "once": _die_once,
    "stuck": _keep_the_interpreter,
    "hang": lambda _: time.sleep(1e6),
    "slow": lambda _: time.sleep(0.8),
    "bad": lambda _: Failure(FailureCode.NOT_AN_IMAGE, "it is bad"),
}


class DiesAtStart:
    """A decoder that kills each process as soon as it arrives there."""

    def __call__(self, uri: str) -> Decoded:
        raise AssertionError(f"{uri} is never decoded")

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)
