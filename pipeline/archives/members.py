"""The bytes of one member, read alone, and what is known of it without reading it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.archives.opening import open_archive
from pipeline.archives.tables import process_tables
from pipeline.archives.uris import ArchiveKind, parse_uri
from pipeline.archives.zips import read_zipped, too_large
from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched
from pipeline.records import FailureCode, FileFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archives.entries import Entry
    from pipeline.archives.opened import Opened
    from pipeline.archives.uris import MemberUri
    from pipeline.fetch.limits import FetchLimits


def read_member(uri: str, limits: FetchLimits) -> Fetched:
    """Return the bytes of an archive's member and their version; several threads may call it.

    Raises PictureError: what opening the archive raises, not_found (no such member),
    not_an_image (a link), permission_denied (encrypted), too_large, truncated, decode_error,
    unsupported_format.
    """
    wanted = parse_uri(uri)
    with _opened(wanted, limits) as archive:
        entry = _find_entry(wanted, archive)
        _check_entry(entry, limits.max_bytes)
        return Fetched(_read(wanted.kind, archive, entry, limits), make_version(archive, entry))


def facts_of(uri: str, limits: FetchLimits) -> FileFacts | None:
    """Return size and version of a member, as ``read_member`` would give them; None: it fails.

    Of many members of one archive the first costs a look through it.
    """
    try:
        wanted = parse_uri(uri)
        with _opened(wanted, limits) as archive:
            return make_facts(archive, _find_entry(wanted, archive))
    except PictureError:
        return None


def make_version(archive: Opened, entry: Entry) -> str:
    """Return the version of a member: that of its archive, and its place or checksum there."""
    return f"{archive.version}:{entry.mark}"


def make_facts(archive: Opened, entry: Entry) -> FileFacts:
    """Return what an archive's table says of a member."""
    return FileFacts(entry.size, make_version(archive, entry))


@contextmanager
def _opened(wanted: MemberUri, limits: FetchLimits) -> Iterator[Opened]:
    archive = open_archive(wanted.location, limits)
    try:
        yield archive
    finally:
        archive.close()


def _find_entry(wanted: MemberUri, archive: Opened) -> Entry:
    table = process_tables().get(wanted.location, archive, wanted.kind)
    entry = table.entries.get(wanted.member)
    if entry is not None:
        return entry
    if table.broken:
        raise PictureError(FailureCode.TRUNCATED, f"the archive is broken: {table.broken}")
    raise PictureError(FailureCode.NOT_FOUND, "the archive has no member of that name")


def _check_entry(entry: Entry, max_bytes: int) -> None:
    if entry.problem:
        raise PictureError(FailureCode.NOT_AN_IMAGE, entry.problem)
    # Packing makes nothing longer by more than a thousandth.
    if entry.size > max_bytes or entry.packed > max_bytes + max_bytes // 1000 + 1024:
        raise too_large(max_bytes)


def _read(kind: ArchiveKind, archive: Opened, entry: Entry, limits: FetchLimits) -> bytes:
    if kind is ArchiveKind.ZIP:
        return read_zipped(archive, entry, limits.max_bytes)
    data = archive.read_at(entry.offset, entry.size)
    if len(data) < entry.size:
        raise PictureError(FailureCode.TRUNCATED, "the archive ends within the member")
    return data
