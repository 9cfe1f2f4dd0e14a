"""The SHA-256 by which a weights file is known."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex; of one that has not changed it is computed once."""
    seen = path.stat()
    return _sha256_of(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, _modified_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
