"""The bytes of a local file, with limits; nothing but a regular file is ever opened."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched, FetchLimits
from pipeline.records import FailureCode
from pipeline.references import INVALID, find_scheme, is_storable

if TYPE_CHECKING:
    from pathlib import Path

#: Read at once from a file that is longer than it said.
_MORE_BYTES = 2**16

_CODES = {
    errno.ENOENT: (FailureCode.NOT_FOUND, "there is no such file"),
    errno.ENOTDIR: (FailureCode.NOT_FOUND, "a part of the path is a file, no folder"),
    errno.ELOOP: (FailureCode.NOT_FOUND, "the links of the path lead in a circle"),
    errno.EACCES: (FailureCode.PERMISSION_DENIED, "the file may not be read by this user"),
    errno.EPERM: (FailureCode.PERMISSION_DENIED, "the file may not be read by this user"),
    errno.ENAMETOOLONG: (FailureCode.INVALID_REFERENCE, "the path is longer than any file's"),
}

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bytes(uri: str, limits: FetchLimits) -> Fetched:
    """Return the bytes of a local file; its ``uri`` is a plain absolute path.

    Raises PictureError: invalid_reference, unsupported_scheme, blocked_path, not_found,
    permission_denied, not_an_image (a folder, a device), too_large, connect_error.
    """
    _check_reference(uri)
    try:
        path = _resolve(uri, limits.roots)
        # Before it is opened: opening a pipe waits, and opening a device may do something.
        seen = os.stat(path)  # noqa: PTH116 (a string is faster)
        _check_file(seen, limits)
        return _read_file(path, seen, limits)
    except OSError as error:
        raise _translate(error) from None


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


def _resolve(path: str, roots: tuple[Path, ...]) -> str:
    """Return the path to open: with ``roots``, the very one that was found to be below them."""
    if not roots:
        return path
    real = os.path.realpath(path)
    for root in roots:
        allowed = os.path.realpath(root)
        if real.startswith(allowed.rstrip("/") + "/"):
            return real
    raise PictureError(FailureCode.BLOCKED_PATH, "the path leads out of IMAGEMILL_ROOTS")


def _check_file(found: os.stat_result, limits: FetchLimits) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no file")
        raise PictureError(FailureCode.NOT_AN_IMAGE, f"this is {kind}, no picture")
    _check_size(found.st_size, limits)


def _check_size(size: int, limits: FetchLimits) -> None:
    if size > limits.max_bytes:
        message = f"the file is larger than {limits.max_bytes:,} bytes (IMAGEMILL_MAX_BYTES)"
        raise PictureError(FailureCode.TOO_LARGE, message)


def _read_file(path: str, seen: os.stat_result, limits: FetchLimits) -> Fetched:
    no_links = os.O_NOFOLLOW if limits.roots else 0
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | no_links)
    try:
        opened = os.fstat(file)
        _check_file(opened, limits)
        if limits.roots and not os.path.samestat(seen, opened):
            raise PictureError(FailureCode.BLOCKED_PATH, "the path changed while it was opened")
        return Fetched(_read_all(file, opened.st_size, limits), str(opened.st_mtime_ns))
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


def _translate(error: OSError) -> PictureError:
    code, message = _CODES.get(
        error.errno or 0,
        # A mount that went away, a disk that fails: perhaps not for ever.
        (FailureCode.CONNECT_ERROR, f"the file cannot be read now ({error.strerror or 'I/O'})"),
    )
    return PictureError(code, message)
