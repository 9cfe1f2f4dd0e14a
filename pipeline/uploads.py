"""Uploads: pictures that were sent over HTTP, one folder a job, and nothing in it by its name."""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from pipeline.records import Job

#: The name of the option that a job keeps its folder in.
OPTION = "uploads"
#: Lies in every folder that was made here; no other is ever removed.
_MARK = ".imagemill-uploads"
_NAME = re.compile(r"[0-9a-f]{32}")


class Folder:
    """A new folder below ``uploads``, with a name that nobody can guess.

    Raises UsageError when it cannot be made.
    """

    def __init__(self, uploads: Path) -> None:
        self.path = uploads.absolute() / secrets.token_hex(16)
        self._stored = 0
        try:
            self.path.mkdir(parents=True)
            (self.path / _MARK).touch()
        except OSError as error:
            raise UsageError(
                f"the folder {uploads} for uploads cannot be written ({error.strerror}); make it "
                "writable, or set IMAGEMILL_UPLOADS to another"
            ) from None

    def store(self, content: BinaryIO, ending: str = "") -> Path:
        """Copy a file into the folder under a name of our own, and return its path."""
        self._stored += 1
        path = self.path / f"{self._stored:06}{ending}"
        with path.open("xb") as file:
            shutil.copyfileobj(content, file, 2**20)
        return path

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        remove_folder(self.path)


def remove_uploads(job: Job) -> None:
    """Remove the pictures that were uploaded for a job, if any were, and if they are here."""
    folder = job.options.get(OPTION)
    if isinstance(folder, str):
        remove_folder(Path(folder))


def remove_folder(folder: Path) -> None:
    """Remove a folder that ``Folder`` made; anything else stays, whatever a row says."""
    if not folder.is_absolute() or not _NAME.fullmatch(folder.name) or folder.is_symlink():
        return
    if (folder / _MARK).is_file():
        with suppress(OSError):
            shutil.rmtree(folder)
