"""The bytes of a local file, with limits, and what is seen of it without them."""

from __future__ import annotations

import os

from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched, FetchLimits
from pipeline.fetch.opening import explain, open_regular
from pipeline.records import FailureCode, FileFacts
from pipeline.references import INVALID, find_scheme, is_storable

#: Read at once from a file that is longer than it said.
_MORE_BYTES = 2**16


def read_bytes(uri: str, limits: FetchLimits) -> Fetched:
    """Return the bytes of a local file; its ``uri`` is a plain absolute path.

    Raises PictureError: invalid_reference, unsupported_scheme, blocked_path, not_found,
    permission_denied, not_an_image (a folder, a device), too_large, connect_error.
    """
    _check_reference(uri)
    try:
        return _read_file(uri, limits)
    except OSError as error:
        raise explain(error) from None


def look_at_file(uri: str, limits: FetchLimits) -> FileFacts:
    """Return size and version of a local file that could be read now; raises as ``read_bytes``."""
    _check_reference(uri)
    try:
        file = open_regular(uri, limits.roots)
        try:
            found = os.fstat(file)
        finally:
            os.close(file)
    except OSError as error:
        raise explain(error) from None
    return FileFacts(found.st_size, str(found.st_mtime_ns))


def _check_reference(uri: str) -> None:
    if uri in ("", INVALID):
        raise PictureError(FailureCode.INVALID_REFERENCE, "the reference is empty")
    if uri.startswith(INVALID) or not is_storable(uri):
        message = "the reference has bytes that no path and no URL may have"
        raise PictureError(FailureCode.INVALID_REFERENCE, message)
    if scheme := find_scheme(uri):
        raise PictureError(
            FailureCode.UNSUPPORTED_SCHEME, f"{scheme}:// addresses cannot be read, only files"
        )
    if not uri.startswith("/"):
        raise PictureError(FailureCode.INVALID_REFERENCE, "the path is not absolute")


def _check_size(size: int, limits: FetchLimits) -> None:
    if size > limits.max_bytes:
        message = f"the file is larger than {limits.max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
        raise PictureError(FailureCode.TOO_LARGE, message)


def _read_file(path: str, limits: FetchLimits) -> Fetched:
    file = open_regular(path, limits.roots)
    try:
        found = os.fstat(file)
        _check_size(found.st_size, limits)
        return Fetched(_read_all(file, found.st_size, limits), str(found.st_mtime_ns))
    finally:
        os.close(file)


def _read_all(file: int, size: int, limits: FetchLimits) -> bytes:
    """Read to the end: the size is what was seen at first, and files grow."""
    pieces = [os.read(file, size + 1)]
    total = len(pieces[0])
    while pieces[-1]:
        _check_size(total, limits)
        pieces.append(os.read(file, max(size - total, 0) + _MORE_BYTES))
        total += len(pieces[-1])
    return pieces[0] if len(pieces) <= 2 else b"".join(pieces)
