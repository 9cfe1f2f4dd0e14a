"""What every store can do, whichever package reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.fetch.limits import Fetched
    from pipeline.stores.schemes import Address


class Found(NamedTuple):
    """One object of a listing: its path below the bucket, its size in bytes, its version."""

    path: str
    size: int | None
    version: str | None


class Store(Protocol):
    """A connected store; every method raises PictureError when the store fails."""

    def read(self, address: Address, max_bytes: int, timeout_s: float) -> Fetched:
        """Return a whole object, of at most ``max_bytes``."""

    def read_range(
        self, address: Address, start: int, end: int, version: str | None, timeout_s: float
    ) -> bytes:
        """Return the bytes from ``start`` to ``end`` (exclusive), fewer at the object's end.

        Raises PictureError (connect_error) if the object is no longer of this ``version``.
        """

    def look_at(self, address: Address, timeout_s: float) -> Found:
        """Return size and version of one object."""

    def iterate(self, address: Address, timeout_s: float) -> Iterator[Found]:
        """Yield the objects whose path begins with the address's, sorted; by pages or folders.

        ``timeout_s`` is for each of them.
        """
