"""Zip files: the entries of their table, and the bytes of one member."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from pipeline.archives.entries import Entry
from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archives.opened import ArchiveReader, Opened

_ENCRYPTED = 0x1
#: The fixed part of a member's own header; its last two numbers are lengths of what follows.
_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"
#: Read on the chance that the name and the extra fields of that header are no longer.
_USUAL_HEADER = 512
_LINK, _MODE_SHIFT, _KIND_MASK = 0o120000, 16, 0o170000


def iterate_zip(stream: ArchiveReader) -> Iterator[Entry]:
    """Yield what is no folder, in the order of its table, which is in memory whole.

    Raises whatever hostile bytes make of ``zipfile``.
    """
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield _make_entry(member)


def _make_entry(member: zipfile.ZipInfo) -> Entry:
    is_link = (member.external_attr >> _MODE_SHIFT) & _KIND_MASK == _LINK
    return Entry(
        member.filename,
        member.header_offset,
        member.file_size,
        member.compress_size,
        f"{member.CRC:08x}",
        member.compress_type,
        member.CRC,
        "this member is a link; pack the file itself" if is_link else None,
        bool(member.flag_bits & _ENCRYPTED),
    )


def read_zipped(archive: Opened, entry: Entry, max_bytes: int) -> bytes:
    """Return the bytes of a member, whatever its table says of their number.

    Raises PictureError: permission_denied (encrypted), unsupported_format (another compression),
    too_large, truncated, decode_error.
    """
    if entry.locked:
        message = "this member is encrypted; unpack the archive, or pack it without a password"
        raise PictureError(FailureCode.PERMISSION_DENIED, message)
    packed = _read_packed(archive, entry)
    data = _unpack(packed, entry.method, max_bytes)
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    if zlib.crc32(data) != entry.crc:
        raise PictureError(FailureCode.DECODE_ERROR, "its checksum in the archive is another")
    return data


def too_large(max_bytes: int) -> PictureError:
    """Return the failure of a member that is too large."""
    message = f"the member is larger than {max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
    return PictureError(FailureCode.TOO_LARGE, message)


def _read_packed(archive: Opened, entry: Entry) -> bytes:
    data = archive.read_at(entry.offset, _USUAL_HEADER + entry.packed)
    if len(data) < _HEADER.size or not data.startswith(_SIGNATURE):
        raise PictureError(FailureCode.TRUNCATED, "the archive's table points to no member")
    _, name_length, extra_length = _HEADER.unpack_from(data)
    start = _HEADER.size + name_length + extra_length
    missing = start + entry.packed - len(data)
    if missing > 0:
        data += archive.read_at(entry.offset + len(data), missing)
    if len(data) < start + entry.packed:
        raise PictureError(FailureCode.TRUNCATED, "the archive ends within the member")
    return data[start : start + entry.packed]


def _unpack(packed: bytes, method: int, max_bytes: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    if method != zipfile.ZIP_DEFLATED:
        message = f"it is packed by method {method}; pack it by deflate, or store it"
        raise PictureError(FailureCode.UNSUPPORTED_FORMAT, message)
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max_bytes + 1)
    except zlib.error:
        raise PictureError(FailureCode.DECODE_ERROR, "it cannot be unpacked") from None
