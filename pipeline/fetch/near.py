"""The bytes of a reference that is near: a local file, or a member of a local archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archives import read_member
from pipeline.fetch.files import read_bytes
from pipeline.references import find_scheme

if TYPE_CHECKING:
    from pipeline.fetch.limits import Fetched, FetchLimits


def read_near(uri: str, limits: FetchLimits) -> Fetched:
    """Return the bytes of a local file or of an archive's member. Raises PictureError."""
    if find_scheme(uri) in ("tar", "zip"):
        return read_member(uri, limits)
    return read_bytes(uri, limits)
