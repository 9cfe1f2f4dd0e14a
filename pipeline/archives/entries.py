"""One entry of an archive's table: where a member's bytes are, and how they were packed."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A member: sizes in bytes, ``offset`` of its bytes (of its local header in a zip).

    ``mark`` tells its content from another's in the same archive. ``problem``: why it is not to
    be read (a link, a device); ``locked``: it is encrypted.
    """

    name: str
    offset: int
    size: int
    packed: int
    mark: str
    method: int = 0
    crc: int = 0
    problem: str | None = None
    locked: bool = False
