"""Tar files: their members one after another, at the memory of one."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from pipeline.archives.broken import BrokenArchiveError
from pipeline.archives.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archives.opened import ArchiveReader


def iterate_tar(stream: ArchiveReader) -> Iterator[Entry]:
    """Yield what is no folder, in the archive's order.

    Raises BrokenArchiveError where it breaks off, after what came before, and whatever hostile
    headers make of ``tarfile``.
    """
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as archive:
        while member := archive.next():
            if not member.isdir():
                yield _make_entry(member)
            # It would keep every member that it has seen.
            archive.members.clear()  # type: ignore[attr-defined]
        _check_end(stream, archive.offset)


def _make_entry(member: tarfile.TarInfo) -> Entry:
    offset, size = member.offset_data, max(member.size, 0)
    return Entry(member.name, offset, size, size, str(offset), problem=_find_problem(member))


def _find_problem(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "this member is a link; pack the file itself (tar --dereference --hard-dereference)"
    if member.issparse() or not member.isreg() or member.size < 0:
        return "this member is no regular file"
    return None


def _check_end(stream: ArchiveReader, offset: int) -> None:
    """Tell an end from a header that cannot be read: ``tarfile`` takes both for the end."""
    stream.seek(offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b"\0") or 0 < len(block) < tarfile.BLOCKSIZE:
        raise BrokenArchiveError(f"it cannot be read from byte {offset:,} on")
