"""What a web server's answer means: its status as a failure, and the version that it states."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES = {408: FailureCode.TIMEOUT, 429: FailureCode.HTTP_429}
REDIRECTS = frozenset((301, 302, 303, 307, 308))


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Raise PictureError unless the answer holds an image: http_4xx, http_429, http_5xx, timeout.

    A ``Retry-After`` (RFC 9110, 10.2.3) is kept with the failure, in seconds.
    """
    if 200 <= status < 300:
        return
    usual = FailureCode.HTTP_5XX if status >= 500 else FailureCode.HTTP_4XX
    code = _CODES.get(status, usual)
    wait_s = read_retry_after(headers.get("Retry-After")) if status in (429, 503) else None
    raise PictureError(code, f"the server answered with status {status}", wait_s)


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, a number or a date; None: nothing."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdigit() else _seconds_until(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) or None


def find_version(headers: Mapping[str, str]) -> str | None:
    """Return the ETag of an answer, else its Last-Modified, if it states either."""
    version = headers.get("ETag") or headers.get("Last-Modified")
    return version[:200] if version else None


def _seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
