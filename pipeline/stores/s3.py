"""S3 and all that speak like it: one request for an image, listings page by page."""

from __future__ import annotations

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

S3_SCHEMES = ("s3", "s3a")

#: One try of one request, in seconds; the whole has its own deadline.
_CONNECT_S, _READ_S = 5, 10
#: Requests at the same time.
_CONNECTIONS = 128
#: Read at once from an object that says no length.
_PIECE = 2**18


def s3_options(proxy: str | None) -> dict[str, Any]:
    """Return how s3fs is to connect; what the environment says of s3fs comes first."""
    from fsspec.config import conf

    ours = {
        "connect_timeout": _CONNECT_S,
        "read_timeout": _READ_S,
        "max_pool_connections": _CONNECTIONS,
        # The ledger tries again, and does not hold a place in the meantime.
        "retries": {"total_max_attempts": 2, "mode": "standard"},
        # An empty one: the proxies of the environment are not ours.
        "proxies": {"http": proxy, "https": proxy} if proxy else {},
    }
    theirs = conf.get("s3", {}).get("config_kwargs", {})
    return {"config_kwargs": ours | theirs}


class S3Store:
    """The objects of S3, through s3fs's client."""

    def __init__(self, filesystem: Any) -> None:
        filesystem.retries = 1
        self._filesystem = filesystem

    def read(self, address: Address, max_bytes: int, timeout_s: float) -> Fetched:
        """Return a whole object: size, bytes and version by one request."""
        with explaining():
            return wait_in_loop(self._filesystem, self._read(address, max_bytes), timeout_s)

    def read_range(
        self, address: Address, start: int, end: int, version: str | None, timeout_s: float
    ) -> bytes:
        """Return the bytes from ``start`` to ``end``, if the object is of this ``version``."""
        if end <= start:
            return b""
        same = {"IfMatch": f'"{version}"'} if version else {}
        work = self._read_range(address, f"bytes={start}-{end - 1}", same)
        with explaining():
            return wait_in_loop(self._filesystem, work, timeout_s)

    def look_at(self, address: Address, timeout_s: float) -> Found:
        """Return size and version of one object."""
        with explaining():
            answer = self._call("head_object", address, timeout_s, Key=address.path)
        return Found(address.path, answer["ContentLength"], _version(answer))

    def iterate(self, address: Address, timeout_s: float) -> Iterator[Found]:
        """Yield the objects whose key begins with the address's path, sorted by their bytes."""
        more: dict[str, str] = {}
        while True:
            with explaining():
                page = self._call(
                    "list_objects_v2", address, timeout_s, Prefix=address.path, **more
                )
            for each in page.get("Contents", ()):
                yield Found(each["Key"], each["Size"], _version(each))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _call(self, method: str, address: Address, timeout_s: float, **words: Any) -> Any:
        work = self._filesystem._call_s3(method, Bucket=address.bucket, **words)
        return wait_in_loop(self._filesystem, work, timeout_s)

    async def _get(self, address: Address, **words: Any) -> Any:
        where = {"Bucket": address.bucket, "Key": address.path}
        return await self._filesystem._call_s3("get_object", **where, **words)

    async def _read(self, address: Address, max_bytes: int) -> Fetched:
        answer = await self._get(address)
        body = answer["Body"]
        try:
            _check_size(answer.get("ContentLength", 0), max_bytes)
            data = await _read_body(body, max_bytes)
        finally:
            # Of a body that was not read to its end the connection is lost, and that is right.
            body.close()
        return Fetched(data, _version(answer))

    async def _read_range(self, address: Address, place: str, same: dict[str, str]) -> bytes:
        answer = await self._get(address, Range=place, **same)
        try:
            return bytes(await answer["Body"].read())
        finally:
            answer["Body"].close()


async def _read_body(body: Any, max_bytes: int) -> bytes:
    pieces, total = [], 0
    while piece := await body.read(_PIECE):
        pieces.append(piece)
        total += len(piece)
        _check_size(total, max_bytes)
    return b"".join(pieces)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        message = f"the object is larger than {max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
        raise PictureError(FailureCode.TOO_LARGE, message)


def _version(answer: dict[str, Any]) -> str | None:
    tag: str | None = answer.get("ETag")
    return tag.strip('"') if tag else None
