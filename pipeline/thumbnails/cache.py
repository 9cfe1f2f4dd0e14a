"""The cache: thumbnails as files, within a limit; those that nobody looks at go first."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How much of the limit is left filled when it was reached: a listing is rare.
_FILLED = 0.9
#: A file's modified time says when it was last looked at, within so many seconds.
_TOUCH_S = 600.0


class _Kept(NamedTuple):
    used: float
    size: int
    path: str


class Cache:
    """Keeps JPEGs by key (hexadecimal digits) in a folder that is for this user alone.

    Several processes may share the folder. A folder that cannot be used, or a full disk, means
    that nothing is kept; nothing is raised.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()
        # What is there is not known yet: the first file that is kept makes us look.
        self._bytes = limit_bytes
        self._is_sweeping = False

    def find(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        if not self._limit:
            return None
        with suppress(OSError):
            path = self._path(key)
            data = path.read_bytes()
            if _is_whole(data):
                _touch(path)
                return data
        return None

    def keep(self, key: str, data: bytes) -> None:
        """Keep a JPEG; raises nothing."""
        if len(data) > self._limit:
            return
        with suppress(OSError):
            _write(self._path(key), data)
            self._count(len(data))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.jpg"

    def _count(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            if self._bytes <= self._limit or self._is_sweeping:
                return
            self._is_sweeping = True
        try:
            # What others keep meanwhile is not counted: the next listing sees it.
            self._bytes = self._sweep()
        finally:
            self._is_sweeping = False

    def _sweep(self) -> int:
        """Delete what was not used for longest if there is too much; return what is left."""
        kept = sorted(self._list())
        total = sum(one.size for one in kept)
        if total <= self._limit:
            return total
        for one in kept:
            if total <= _FILLED * self._limit:
                break
            Path(one.path).unlink(missing_ok=True)
            total -= one.size
        return total

    def _list(self) -> Iterator[_Kept]:
        with os.scandir(self._folder) as folders:
            inner = [entry.path for entry in folders if entry.is_dir(follow_symlinks=False)]
        for folder in inner:
            with os.scandir(folder) as files:
                for file in files:
                    with suppress(FileNotFoundError):
                        seen = file.stat(follow_symlinks=False)
                        yield _Kept(seen.st_mtime, seen.st_size, file.path)


def _write(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 in folders of mode 0700, all of it or none of it."""
    for folder in (path.parents[1], path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _touch(path: Path) -> None:
    if time.time() - path.stat().st_mtime > _TOUCH_S:
        os.utime(path)


def _is_whole(data: bytes) -> bool:
    # A machine that lost its power may leave a file without its bytes.
    return data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")
