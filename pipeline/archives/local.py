"""A local archive, opened with the care of every local file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.fetch.opening import explain, open_regular
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from pathlib import Path


class LocalArchive:
    """A local file that is open; several threads may read it at once."""

    #: Headers are far from each other: more would be read for nothing.
    buffer_bytes = 2**13

    def __init__(self, path: str, roots: tuple[Path, ...]) -> None:
        """Open the archive.

        Raises PictureError: blocked_path, not_found, permission_denied, not_an_image (a folder,
        a device), invalid_reference, connect_error.
        """
        try:
            self._file = open_regular(path, roots)
            found = os.fstat(self._file)
        except OSError as error:
            raise explain(error) from None
        except ValueError:  # a NUL byte
            message = "the archive's path can be no path"
            raise PictureError(FailureCode.INVALID_REFERENCE, message) from None
        self.size = found.st_size
        self.version = str(found.st_mtime_ns)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer only at its end."""
        try:
            return os.pread(self._file, min(length, max(self.size - offset, 0)), offset)
        except OSError as error:
            raise explain(error) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
