"""Archives that tests pack, sound and otherwise."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched, FetchLimits
from pipeline.records import Failure

LIMITS = FetchLimits(max_bytes=100_000)


def pack_tar(
    path: Path, members: Iterable[tuple[str, bytes]], style: int = tarfile.PAX_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=style) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pack_zip(
    path: Path, members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def failure_of(read: object, uri: str, limits: FetchLimits = LIMITS) -> Failure:
    """The failure that reading a reference ends in."""
    assert callable(read)
    try:
        found: Fetched = read(uri, limits)
    except PictureError as error:
        return error.failure
    raise AssertionError(f"it was read: {found}")
