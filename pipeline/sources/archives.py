"""Archives as sources: the members that are images, each with a uri of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archives import COMPRESSED_TARS, iterate_members
from pipeline.errors import SourceError
from pipeline.records import Reference
from pipeline.references import make_uri, storable
from pipeline.sources.folders import is_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.fetch.limits import FetchLimits


def iterate_archive(location: str, limits: FetchLimits) -> Iterator[Reference]:
    """Yield the members with an image's suffix, in the archive's order, with what it says of them.

    ``location``: an absolute path, or an address in a store. Raises SourceError.
    """
    for member, facts in iterate_members(location, limits):
        if is_image(member.member.rpartition("/")[2]):
            yield Reference(make_uri(str(member), "/"), facts=facts)


def refuse_compressed(location: str) -> None:
    """Raise SourceError for a tar whose members cannot be read alone."""
    if location.lower().endswith(COMPRESSED_TARS):
        raise SourceError(
            f"{storable(location)} is a compressed tar, in which no image can be found alone; "
            "unpack it, or pack it again as .tar or .zip"
        )
