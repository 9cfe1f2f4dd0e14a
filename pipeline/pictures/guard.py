"""The border around Pillow: whatever it raises becomes a failure, and its warnings stay inside."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from pipeline.failures import PictureError
from pipeline.pictures.signatures import (
    describe,
    ends_early,
    find_decoded_format,
    find_foreign_format,
)
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pillow logs what it raises, too; without a handler Python would write that to people's terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def guarding(data: bytes = b"") -> Iterator[None]:
    """Turn whatever Pillow raises inside into a PictureError, and hush its warnings.

    ``data``: the file's bytes where they are at hand; they tell one that ends early from one that
    is broken, and no picture from a format that is not decoded.
    """
    try:
        with hushing():
            yield
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except Image.DecompressionBombError:
        raise too_many_pixels("the picture has more pixels than its limit") from None
    except MemoryError:
        raise PictureError(FailureCode.DECODER_CRASHED, "no memory to decode the picture") from None
    except Exception as error:  # a decoder may raise anything on a hostile file
        if data and not find_decoded_format(data):
            raise _unidentified(data) from None  # two letters of a text made Pillow try
        raise _broken(data, str(error) or type(error).__name__) from None


@contextmanager
def hushing() -> Iterator[None]:
    """Keep Pillow's warnings (corrupt EXIF, odd palettes) from people."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def too_many_pixels(reason: str) -> PictureError:
    """Return the failure of a picture above its limit."""
    return PictureError(FailureCode.TOO_MANY_PIXELS, f"{reason} (--max-pixels)")


def _unidentified(data: bytes) -> PictureError:
    if not data:
        return PictureError(FailureCode.NOT_AN_IMAGE, "the file is empty")
    if kind := find_decoded_format(data):
        return _broken(data, f"the header of this {kind} is unreadable")
    if kind := find_foreign_format(data):
        return PictureError(FailureCode.UNSUPPORTED_FORMAT, f"{kind} is a format not decoded here")
    return PictureError(FailureCode.NOT_AN_IMAGE, f"this is no picture but {describe(data)}")


def _broken(data: bytes, reason: str) -> PictureError:
    if "truncated" in reason.lower() or ends_early(data):
        return PictureError(FailureCode.TRUNCATED, f"the file ends too early ({reason})")
    return PictureError(FailureCode.DECODE_ERROR, f"the picture cannot be decoded ({reason})")
