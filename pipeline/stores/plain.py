"""Any other store of fsspec's: what it is, then its bytes; listings folder by folder."""

from __future__ import annotations

import posixpath
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched
from pipeline.records import FailureCode
from pipeline.stores.failing import explaining
from pipeline.stores.store import Found
from pipeline.stores.waiting import wait_in_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.stores.schemes import Address

#: What a store calls an object's version, in order of preference; then its time.
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "LastModified")
_TIMES = ("last_modified", "updated", "mtime", "modified", "created")


class PlainStore:
    """The objects of a store through the methods that every filesystem of fsspec has."""

    def __init__(self, filesystem: Any) -> None:
        self._filesystem = filesystem

    def read(self, address: Address, max_bytes: int, timeout_s: float) -> Fetched:
        """Return a whole object; what it says of its size is looked at first, and not believed."""
        with explaining():
            found = self._look(address, timeout_s)
            _check_size(found.size or 0, max_bytes)
            data = self._cat(address, 0, max_bytes + 1, timeout_s)
            _check_size(len(data), max_bytes)
        return Fetched(data, found.version)

    def read_range(
        self, address: Address, start: int, end: int, version: str | None, timeout_s: float
    ) -> bytes:
        """Return the bytes from ``start`` to ``end``; of no later version, as far as is known."""
        del version  # nothing in fsspec asks for one
        if end <= start:
            return b""
        with explaining():
            return self._cat(address, start, end, timeout_s)

    def look_at(self, address: Address, timeout_s: float) -> Found:
        """Return size and version of one object."""
        with explaining():
            return self._look(address, timeout_s)

    def iterate(self, address: Address, timeout_s: float) -> Iterator[Found]:
        """Yield the objects whose path begins with the address's, each folder sorted by name."""
        folder = posixpath.dirname(address.whole) or address.bucket
        levels = [iter(self._list(folder, timeout_s))]
        while levels:
            info = next(levels[-1], None)
            if info is None:
                levels.pop()
            elif info["type"] == "directory":
                if _may_hold(info["name"], address.whole):
                    levels.append(iter(self._list(info["name"], timeout_s)))
            elif info["name"].startswith(address.whole):
                yield _found(info, address)

    def _look(self, address: Address, timeout_s: float) -> Found:
        info = self._call("info", timeout_s, address.whole)
        if info["type"] == "directory":
            raise IsADirectoryError
        return _found(info, address)

    def _cat(self, address: Address, start: int, end: int, timeout_s: float) -> bytes:
        data: bytes = self._call("cat_file", timeout_s, address.whole, start=start, end=end)
        return data

    def _list(self, folder: str, timeout_s: float) -> list[dict[str, Any]]:
        with explaining():
            entries = self._call("ls", timeout_s, folder, detail=True)
        entries = [entry | {"name": entry["name"].strip("/")} for entry in entries]
        # A folder's own marker may be in its listing.
        inside = [entry for entry in entries if entry["name"] != folder.strip("/")]
        return sorted(inside, key=lambda entry: str(entry["name"]))

    def _call(self, method: str, timeout_s: float, *words: Any, **named: Any) -> Any:
        """Call a method of the filesystem; one without a loop of its own has no deadline here."""
        if not self._filesystem.async_impl:
            return getattr(self._filesystem, method)(*words, **named)
        work = getattr(self._filesystem, f"_{method}")(*words, **named)
        return wait_in_loop(self._filesystem, work, timeout_s)


def _may_hold(folder: str, prefix: str) -> bool:
    inside = folder + "/"
    return inside.startswith(prefix) or prefix.startswith(inside)


def _found(info: dict[str, Any], address: Address) -> Found:
    # Some filesystems have a slash in front of every path.
    path = info["name"].strip("/").removeprefix(f"{address.bucket}/")
    return Found(path, info.get("size"), _version(info))


def _version(info: dict[str, Any]) -> str | None:
    version = next((info[name] for name in (*_VERSIONS, *_TIMES) if info.get(name)), None)
    # One and the same time is a number in an answer, and a date in a listing.
    version = version.timestamp() if isinstance(version, datetime) else version
    return None if version is None else str(version).strip('"')


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        message = f"the object is larger than {max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
        raise PictureError(FailureCode.TOO_LARGE, message)
