"""An engine that computes nothing: five made-up predictions for each image, and failures on wish.

The uri says what happens: ``.../fail`` fails, ``.../kill`` kills this process at once, and
``.../sleep-0.5`` takes half a second. Everything else is classified, by a hash of its uri.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import EngineError
from pipeline.records import Failure, FailureCode, ImageRef, Outcome, Provenance, Score
from workers.engine.requests import Answer

_SLEEP = re.compile(r"/sleep-([0-9.]+)")
_CLASSES = 16


class NullEngine:
    """Answers from the uri alone, each chunk in a thread of its own."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s
        self._closed = threading.Event()

    @staticmethod
    def start(_weights: Path, _settings: Settings) -> NullEngine:
        """Take the place of ``workers.engine.layout.start_engine``."""
        return NullEngine(float(os.environ.get("IMAGEMILL_TEST_PAUSE_S", "0")))

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        """Answer for the images of a chunk."""
        future: Future[Answer] = Future()
        pause_s = self._pause_s + sum(map(_pause_of, images))
        if pause_s or any("/kill" in image.uri for image in images):
            threading.Thread(
                target=self._take_time, args=(future, images, top_k, pause_s), daemon=True
            ).start()
        else:
            future.set_result(answer(images, top_k))
        return future

    def stalled_s(self) -> float:
        """Never."""
        return 0.0

    def close(self) -> None:
        """Abandon what is in flight."""
        self._closed.set()

    def _take_time(
        self, future: Future[Answer], images: Sequence[ImageRef], top_k: int, pause_s: float
    ) -> None:
        if any("/kill" in image.uri for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        deadline = time.monotonic() + pause_s
        while not future.cancelled() and time.monotonic() < deadline:
            if self._closed.wait(0.02):
                future.set_exception(EngineError("the engine was closed"))
                return
        if not future.cancelled():
            future.set_result(answer(images, top_k))


def answer(images: Sequence[ImageRef], top_k: int) -> Answer:
    """Return what the engine says of these images: the same at any time, anywhere."""
    return Answer(
        tuple(_outcome(image, top_k) for image in images),
        Provenance((len(images),), engine="null", device="null"),
    )


def _outcome(image: ImageRef, top_k: int) -> Outcome:
    if "/fail" in image.uri:
        return Outcome(image.index, failure=Failure(FailureCode.DECODE_ERROR, "made up"))
    first = zlib.crc32(image.uri.encode()) % _CLASSES
    count = min(top_k, _CLASSES)
    return Outcome(
        image.index,
        tuple(Score((first + rank) % _CLASSES, 0.5 / 2**rank) for rank in range(count)),
    )


def _pause_of(image: ImageRef) -> float:
    found = _SLEEP.search(image.uri)
    return float(found.group(1)) if found else 0.0
