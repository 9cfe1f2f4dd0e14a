"""Versions: what a thumbnail was made from, so that a changed picture gets a new one."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING

from pipeline.archives import facts_of, is_member
from pipeline.fetch.files import look_at_file
from pipeline.fetch.kinds import is_far

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits

_DAY_S = 86_400


def find_version(uri: str, limits: FetchLimits) -> str:
    """Return the version of what is near as it is now, and of what is far one for each day.

    Raises PictureError for a local file that may not be read, or is not there.
    """
    if is_far(uri):
        return _find_day(uri)
    facts = facts_of(uri, limits) if is_member(uri) else look_at_file(uri, limits)
    # Of a member that cannot be read now: whoever reads it says why, and it is like no other.
    return f"{facts.size} {facts.version}" if facts else f"unknown {time.time_ns()}"


def _find_day(uri: str) -> str:
    # Each reference has a midnight of its own: they do not all grow old at once.
    midnight_s = zlib.crc32(uri.encode("utf-8", "backslashreplace")) % _DAY_S
    return f"day {int(time.time() + midnight_s) // _DAY_S}"
