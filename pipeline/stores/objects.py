"""One object of a store: its bytes, or what is known of it without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.records import FailureCode, FileFacts
from pipeline.stores.opening import open_store
from pipeline.stores.schemes import parse_address

if TYPE_CHECKING:
    from pipeline.fetch.limits import Fetched, FetchLimits
    from pipeline.stores.schemes import Address


def read_object(uri: str, limits: FetchLimits) -> Fetched:
    """Return the bytes of an object and its version (ETag); many threads may call it at once.

    Raises PictureError: unsupported_scheme, invalid_reference, not_found, permission_denied,
    too_large, timeout (``limits.timeout_s`` in all), dns_error, connect_error, http_429,
    http_5xx, http_4xx.
    """
    address = _parse(uri, limits)
    return open_store(address.scheme, limits).read(address, limits.max_bytes, limits.timeout_s)


def facts_of(uri: str, limits: FetchLimits) -> FileFacts | None:
    """Return size and version of an object by one request; None: it cannot be looked at."""
    try:
        address = _parse(uri, limits)
        found = open_store(address.scheme, limits).look_at(address, limits.timeout_s)
    except PictureError:
        return None
    return FileFacts(found.size, found.version)


def _parse(uri: str, limits: FetchLimits) -> Address:
    address = parse_address(uri, limits)
    if not address.path or address.path.endswith("/"):
        message = "this is a bucket or a folder, no object"
        raise PictureError(FailureCode.INVALID_REFERENCE, message)
    return address
