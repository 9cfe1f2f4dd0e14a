"""Where an archive is opened: a local file, or an object in a store."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pipeline.archives.broken import BrokenArchiveError
from pipeline.archives.local import LocalArchive
from pipeline.archives.opened import ArchiveReader
from pipeline.archives.tars import iterate_tar
from pipeline.archives.uris import ArchiveKind
from pipeline.archives.zips import iterate_zip
from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.references import find_scheme, is_storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archives.entries import Entry
    from pipeline.archives.opened import Opened
    from pipeline.fetch.limits import FetchLimits


def open_archive(location: str, limits: FetchLimits) -> Opened:
    """Return the archive at a path or in a store; close it. Raises PictureError."""
    if not is_storable(location):
        message = "the archive's name has bytes that no path and no address may have"
        raise PictureError(FailureCode.INVALID_REFERENCE, message)
    if find_scheme(location):
        from pipeline.archives.stored import StoredArchive

        return StoredArchive(location, limits)
    return LocalArchive(location, limits.roots)


def iterate_entries(archive: Opened, kind: ArchiveKind) -> Iterator[Entry]:
    """Yield what is no folder, in the archive's order.

    Raises BrokenArchiveError where it cannot be read on, PictureError when its store fails.
    """
    iterate = iterate_tar if kind is ArchiveKind.TAR else iterate_zip
    try:
        with closing(ArchiveReader(archive)) as stream:
            yield from iterate(stream)
    except (BrokenArchiveError, PictureError, GeneratorExit, MemoryError):
        raise
    except Exception as error:  # what hostile bytes make of the standard library is no short list
        reason = str(error).partition("\n")[0][:80] or type(error).__name__
        raise BrokenArchiveError(f"it is no sound {kind} file ({reason})") from None
