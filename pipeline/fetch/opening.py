"""A local file, opened with care: below the roots, and regular; nothing else is ever opened."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from pathlib import Path

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


def open_regular(path: str, roots: tuple[Path, ...]) -> int:
    """Return the descriptor of a regular file that is below one of the roots (none: anywhere).

    Raises PictureError: blocked_path, not_an_image (a folder, a device); and OSError.
    """
    path = _resolve(path, roots)
    # Before it is opened: opening a pipe waits, and opening a device may do something.
    seen = os.stat(path)  # noqa: PTH116 (a string is faster)
    _check_regular(seen)
    no_links = os.O_NOFOLLOW if roots else 0
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | no_links)
    try:
        _check_opened(file, seen if roots else None)
    except BaseException:
        os.close(file)
        raise
    return file


def explain(error: OSError) -> PictureError:
    """Return what the operating system said of a file as an image's failure."""
    code, message = _CODES.get(
        error.errno or 0,
        # A mount that went away, a disk that fails: perhaps not for ever.
        (FailureCode.CONNECT_ERROR, f"the file cannot be read now ({error.strerror or 'I/O'})"),
    )
    return PictureError(code, message)


def _resolve(path: str, roots: tuple[Path, ...]) -> str:
    """Return the path to open: with ``roots``, the very one that was found to be below them."""
    if not roots:
        return path
    real = os.path.realpath(path)
    if any(real.startswith(os.path.realpath(root).rstrip("/") + "/") for root in roots):
        return real
    raise PictureError(FailureCode.BLOCKED_PATH, "the path leads out of IMAGEMILL_ROOTS")


def _check_opened(file: int, seen: os.stat_result | None) -> None:
    opened = os.fstat(file)
    _check_regular(opened)
    if seen and not os.path.samestat(seen, opened):
        raise PictureError(FailureCode.BLOCKED_PATH, "the path changed while it was opened")


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise PictureError(FailureCode.NOT_AN_IMAGE, f"this is {kind}, no file")
