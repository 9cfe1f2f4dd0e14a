"""The uri of a member: its archive's kind, the archive's path or address, the member's name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.references import find_scheme

if TYPE_CHECKING:
    from typing import Final

#: Names of archives that have to be unpacked or packed anew: nothing in them can be read alone.
COMPRESSED_TARS: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


class ArchiveKind(StrEnum):
    """What an archive is, by its suffix."""

    TAR = "tar"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class MemberUri:
    """``location``: the archive's absolute path, or its address in an object store."""

    kind: ArchiveKind
    location: str
    member: str

    def __str__(self) -> str:
        """Return ``tar:///a/shard.tar#name``, or ``tar+s3://bucket/shard.tar#name``."""
        location = self.location.replace("%", "%25").replace("#", "%23")
        link = "+" if find_scheme(location) else "://"
        return f"{self.kind}{link}{location}#{self.member}"


def find_archive(path: str) -> ArchiveKind | None:
    """Return what kind of archive a path is by its suffix, in any case; None: it is none."""
    suffix = path[-4:].lower()
    if suffix == ".tar":
        return ArchiveKind.TAR
    return ArchiveKind.ZIP if suffix == ".zip" else None


def is_member(uri: str) -> bool:
    """Return whether ``uri`` is that of a member of an archive."""
    kind = (find_scheme(uri) or "").partition("+")[0]
    return kind in (ArchiveKind.TAR, ArchiveKind.ZIP)


def parse_uri(uri: str) -> MemberUri:
    """Return the parts of a member's uri; raises PictureError (invalid_reference)."""
    scheme = find_scheme(uri) or ""
    kind, _, store = scheme.partition("+")
    location, _, member = uri[len(scheme) + len("://") :].partition("#")
    location = unquote(location, errors="surrogateescape")
    if store:
        location = f"{store}://{location}"
    elif not location.startswith("/"):
        raise _invalid("the archive's path is not absolute (tar:///folder/shard.tar#member)")
    if not member:
        raise _invalid("it names no member of the archive (tar:///folder/shard.tar#member)")
    return MemberUri(ArchiveKind(kind), location, member)


def _invalid(message: str) -> PictureError:
    return PictureError(FailureCode.INVALID_REFERENCE, message)
