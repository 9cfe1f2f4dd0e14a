"""Archives: tar shards and zip files whose members are images."""

from pipeline.archives.listing import iterate_members
from pipeline.archives.members import facts_of, read_member
from pipeline.archives.uris import COMPRESSED_TARS, find_archive, is_member

__all__ = [
    "COMPRESSED_TARS",
    "facts_of",
    "find_archive",
    "is_member",
    "iterate_members",
    "read_member",
]
