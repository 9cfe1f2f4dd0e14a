"""Cursors: the place that ended a page, as an opaque text that an address may carry."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.queries.orders import Order

if TYPE_CHECKING:
    from pipeline.queries.keys import Key
    from pipeline.queries.rankings import Rank

#: The first byte says what follows: a key (job, index), or a place in an order by score.
_KEY, _RANK = 1, 2
_KEY_FORM = struct.Struct(">Bii")
#: Version, order, job, score, index; no padding in the text.
_RANK_FORM = struct.Struct(">BBidi")
_ORDERS = (Order.LEAST_CERTAIN, Order.MOST_CERTAIN)


def write_cursor(key: Key) -> str:
    """Return the text for a key; twelve characters of letters, digits, ``-`` and ``_``."""
    return _write(_KEY_FORM.pack(_KEY, *key))


def read_cursor(cursor: str) -> Key:
    """Return the key that ``write_cursor`` was given.

    Raises UsageError for any other text, and for the cursor of another order.
    """
    _, job_id, index = _read(cursor, _KEY, _KEY_FORM)
    return job_id, index


def write_rank_cursor(order: Order, job_id: int, rank: Rank) -> str:
    """Return the text for a place in an order by score; 24 characters as of ``write_cursor``."""
    return _write(_RANK_FORM.pack(_RANK, _ORDERS.index(order), job_id, *rank))


def read_rank_cursor(cursor: str, order: Order, job_id: int) -> Rank:
    """Return the place that ``write_rank_cursor`` was given for this order of this job.

    Raises UsageError for any other text, and for the cursor of another order or job.
    """
    _, number, of_job, score, index = _read(cursor, _RANK, _RANK_FORM)
    # A score that is none (NaN, too) was not written by us.
    if number >= len(_ORDERS) or not 0 <= score <= 1:
        raise _refuse(cursor)
    if _ORDERS[number] is not order:
        raise _refuse_order(cursor)
    check_job(cursor, of_job, job_id)
    return score, index


def check_job(cursor: str, of_job: int, job_id: int | None) -> None:
    """Raise UsageError when a cursor of one job is used for another; None: for all jobs."""
    if job_id not in (None, of_job):
        raise UsageError(f"the cursor {cursor!r} belongs to another job; start again without it")


def _write(data: bytes) -> str:
    return urlsafe_b64encode(data).decode()


def _read(cursor: str, version: int, form: struct.Struct) -> tuple[int, ...]:
    try:
        data = urlsafe_b64decode(cursor.encode("ascii"))
    except (UnicodeEncodeError, Error) as error:
        raise _refuse(cursor) from error
    forms = {_KEY: _KEY_FORM, _RANK: _RANK_FORM}
    known = forms.get(data[0]) if data else None
    # Decoding overlooks strange characters; what does not come back the same was not ours.
    if known is None or len(data) != known.size or _write(data) != cursor:
        raise _refuse(cursor)
    if data[0] != version:
        raise _refuse_order(cursor)
    return form.unpack(data)


def _refuse(cursor: str) -> UsageError:
    return UsageError(
        f"the cursor {cursor!r} is none that a page ended with; start again without it"
    )


def _refuse_order(cursor: str) -> UsageError:
    return UsageError(f"the cursor {cursor!r} belongs to another order; start again without it")
