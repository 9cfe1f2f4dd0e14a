"""Cursors: the key that ended a page, as an opaque text that an address may carry."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.queries.keys import Key

_FORM = struct.Struct(">Bii")
_VERSION = 1


def write_cursor(key: Key) -> str:
    """Return the text for a key; twelve characters of letters, digits, ``-`` and ``_``."""
    return urlsafe_b64encode(_FORM.pack(_VERSION, *key)).decode()


def read_cursor(cursor: str) -> Key:
    """Return the key that ``write_cursor`` was given; UsageError for any other text."""
    try:
        version, job_id, index = _FORM.unpack(urlsafe_b64decode(cursor.encode("ascii")))
    except (UnicodeEncodeError, Error, struct.error) as error:
        raise _refuse(cursor) from error
    # Decoding overlooks strange characters; what does not come back the same was not ours.
    if version != _VERSION or write_cursor((job_id, index)) != cursor:
        raise _refuse(cursor)
    return job_id, index


def _refuse(cursor: str) -> UsageError:
    return UsageError(
        f"the cursor {cursor!r} is none that a page ended with; start again without it"
    )
