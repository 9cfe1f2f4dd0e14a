"""Cursors of flips: the image that ended a page, as an opaque text that an address may carry."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import astuple, dataclass

from pipeline.errors import UsageError

_FORM = struct.Struct(">Biidi")
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands: the score and the index of the image that it saw last."""

    score: float
    index: int


#: Before every image.
START = Place(-1.0, -1)


def write_cursor(walked: int, other: int, place: Place) -> str:
    """Return the text for a place in a walk over the one job's images against the other's."""
    return urlsafe_b64encode(_FORM.pack(_VERSION, walked, other, *astuple(place))).decode()


def read_cursor(cursor: str, walked: int, other: int) -> Place:
    """Return the place of a cursor that was written for the same walk; else UsageError."""
    try:
        version, _, _, score, index = _FORM.unpack(urlsafe_b64decode(cursor.encode("ascii")))
    except (UnicodeEncodeError, Error, struct.error) as error:
        raise _refuse(cursor) from error
    place = Place(score, index)
    # Decoding overlooks strange characters; what does not come back the same was not ours.
    if version != _VERSION or write_cursor(walked, other, place) != cursor:
        raise _refuse(cursor)
    return place


def _refuse(cursor: str) -> UsageError:
    return UsageError(
        f"the cursor {cursor!r} is none that a page of these flips ended with; "
        "start again without it"
    )
