"""Which schemes are object stores, and what an address in one is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.references import find_scheme, is_storable

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits

#: What fsspec opens too, but leads to this machine, to another filesystem, or past the guards of
#: the web: never, whoever enables it.
_NEVER = frozenset(
    (
        *("file", "local", "memory", "http", "https", "data", "asynclocal", "generic", "reference"),
        *("dir", "zip", "tar", "libarchive", "cached", "blockcache", "filecache", "simplecache"),
        *("root", "git", "dask", "jlab", "jupyter"),
    )
)


class Address(NamedTuple):
    """An address in a store; ``path`` may be empty, and is never decoded."""

    scheme: str
    bucket: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.path}"

    @property
    def whole(self) -> str:
        """Return what fsspec calls the path: bucket and path."""
        return f"{self.bucket}/{self.path}" if self.path else self.bucket


def is_store(uri: str, limits: FetchLimits) -> bool:
    """Return whether ``uri`` is an address in a store that is enabled."""
    scheme = find_scheme(uri)
    return scheme in limits.schemes and scheme not in _NEVER


def parse_address(uri: str, limits: FetchLimits) -> Address:
    """Return the parts of an address in a store.

    Raises PictureError: unsupported_scheme (not enabled), invalid_reference.
    """
    scheme = find_scheme(uri) or ""
    bucket, _, path = uri[len(scheme) + len("://") :].partition("/")
    if not is_store(uri, limits):
        raise PictureError(FailureCode.UNSUPPORTED_SCHEME, _explain(scheme))
    if not is_storable(uri) or "::" in bucket or "@" in bucket or not bucket:
        message = f"an address in a store is {scheme}://bucket/path, and nothing beside the bucket"
        raise PictureError(FailureCode.INVALID_REFERENCE, message)
    return Address(scheme, bucket, path)


def _explain(scheme: str) -> str:
    if not scheme or scheme in _NEVER:
        return f"{scheme}:// addresses are no addresses in an object store"
    return f"{scheme}:// is not enabled; if it is an object store, add it to IMAGEMILL_SCHEMES"
