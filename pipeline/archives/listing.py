"""The members of an archive as a stream, for those who name the archive as a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archives.broken import BrokenArchiveError
from pipeline.archives.members import make_facts
from pipeline.archives.opening import iterate_entries, open_archive
from pipeline.archives.uris import MemberUri, find_archive
from pipeline.errors import SourceError
from pipeline.failures import PictureError
from pipeline.references import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.fetch.limits import FetchLimits
    from pipeline.records import FileFacts


def iterate_members(location: str, limits: FetchLimits) -> Iterator[tuple[MemberUri, FileFacts]]:
    """Yield the members (no folders) of the archive at ``location``, in its order.

    Of a tar at the memory of one member, of a zip at that of its table. ``location``: an absolute
    path with an archive's suffix, or an address in a store.

    Raises SourceError in a sentence, also in the middle: what is no archive, or breaks off.
    """
    kind = find_archive(location)
    if kind is None:
        raise SourceError(f"{storable(location)} is no archive: .tar and .zip are")
    try:
        archive = open_archive(location, limits)
        try:
            for entry in iterate_entries(archive, kind):
                yield MemberUri(kind, location, entry.name), make_facts(archive, entry)
        finally:
            archive.close()
    except BrokenArchiveError as error:
        reason = f"{error}; pack it again"
        raise SourceError(f"the archive {storable(location)} is broken: {reason}") from None
    except PictureError as error:
        raise SourceError(f"{storable(location)} cannot be read: {error}") from None
