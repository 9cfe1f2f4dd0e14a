"""The decoder: what a loader process does with one image, from its uri to its pixels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from torch import Tensor

from pipeline.failures import PictureError
from pipeline.fetch.downloads import Downloads, Got
from pipeline.fetch.kinds import is_far
from pipeline.fetch.limits import FetchLimits
from pipeline.fetch.near import read_near
from pipeline.known.answers import KnownAnswers
from pipeline.pictures.pictures import open_picture
from pipeline.records import Failure, FailureCode, FileFacts, Precision, Score
from workers.decode import decode
from workers.jpegs import Jpeg, as_jpeg

T = TypeVar("T")
Key = TypeVar("Key")


class Reuse(NamedTuple):
    """Whose answers an image may take: those of a stored model, with so many scores."""

    model_id: int
    top_k: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """One image after decoding: pixels of shape (224, 224, 3), uint8 RGB, or a failure.

    Or ``scores``: those of an image with the same bytes, which was classified before. Or ``jpeg``:
    what a GPU decodes.
    """

    pixels: Tensor | None
    failure: Failure | None
    facts: FileFacts
    read_ms: float = 0.0
    decode_ms: float = 0.0
    scores: tuple[Score, ...] = ()
    jpeg: Jpeg | None = None


@dataclass(frozen=True, slots=True)
class Decoder:
    """What a loader process does with an image, and the limits it keeps.

    ``known`` finds the answers of bytes that were classified before. With ``hands_over`` a plain
    JPEG is not decoded here, but by a GPU.
    """

    precision: Precision
    max_pixels: int
    limits: FetchLimits
    known: KnownAnswers | None = None
    hands_over: bool = False

    def __call__(self, uri: str, reuse: Reuse | None = None) -> Decoded:
        """Read and decode an image that is near. It never raises: what goes wrong is a failure."""
        started = time.perf_counter()
        got = catching(lambda: read_near(uri, self.limits))
        return self.decode_fetched(Got(got, (time.perf_counter() - started) * 1000), reuse)

    def is_far(self, uri: str) -> bool:
        """Tell whether an image is downloaded before it is decoded."""
        return is_far(uri)

    def start_downloads(self, on_done: Callable[[Key, Got], None]) -> Downloads[Key]:
        """Begin to download; ``on_done`` is called in a thread of its own."""
        return Downloads(self.limits, on_done)

    def decode_fetched(self, got: Got, reuse: Reuse | None) -> Decoded:
        """Decode what was read. It never raises: what goes wrong is a failure."""
        fetched = got.result
        if isinstance(fetched, Failure):
            return Decoded(None, fetched, FileFacts(), got.read_ms)
        started = time.perf_counter()
        digest = hashlib.sha256(fetched.data).digest()
        facts = FileFacts(len(fetched.data), fetched.version, digest)
        if scores := self._find_answer(digest, reuse):
            return Decoded(None, None, facts, got.read_ms, scores=scores)
        made = catching(lambda: self._decode(fetched.data))
        if isinstance(made, Failure):
            return Decoded(None, made, facts, got.read_ms)
        picture, width, height = made
        facts = replace(facts, width=width, height=height)
        decode_ms = (time.perf_counter() - started) * 1000
        if isinstance(picture, Jpeg):
            return Decoded(None, None, facts, got.read_ms, decode_ms, jpeg=picture)
        return Decoded(picture, None, facts, got.read_ms, decode_ms)

    def _decode(self, data: bytes) -> tuple[Tensor | Jpeg, int, int]:
        if self.hands_over:
            with open_picture(data, self.max_pixels) as picture:
                if jpeg := as_jpeg(data, picture):
                    return jpeg, picture.width, picture.height
        return decode(data, self.precision, self.max_pixels)

    def _find_answer(self, digest: bytes, reuse: Reuse | None) -> tuple[Score, ...]:
        if reuse is None or self.known is None:
            return ()
        return self.known.find(reuse.model_id, reuse.top_k, digest) or ()


def catching(work: Callable[[], T]) -> T | Failure:
    """Return what the work on one picture gives, or the failure that it ends in."""
    try:
        return work()
    except PictureError as error:
        return error.failure
    except MemoryError:
        message = "decoding it needs more memory than there is"
        return Failure(FailureCode.DECODER_CRASHED, message)
    except Exception as error:
        # Whatever a decoder raises is about this one picture; its neighbours go on.
        message = f"the decoder gave up ({type(error).__name__})"
        return Failure(FailureCode.DECODE_ERROR, message)
