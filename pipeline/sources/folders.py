"""Folders: the pictures below one, in a stable order, at the memory of one listing a level."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH118, PTH122

from __future__ import annotations

import os
from dataclasses import dataclass
from os.path import splitext
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.references import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a folder yields, by suffix and in any case.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff")
)


@dataclass(slots=True)
class _Level:
    """One folder of the walk: what is left of its listing, and how many came before it."""

    path: str
    entries: Iterator[tuple[str, bool]]
    before: int


def iterate_folder(folder: str) -> Iterator[str]:
    """Yield the paths with an image's suffix below ``folder``, each folder sorted by name.

    Links to files, dangling links, FIFOs and devices come too (they fail where people see it), and
    so does a sub-folder with an image's suffix in which there is no image. Links to folders are not
    followed. macOS's ``._x.jpg`` (a file's attributes on a foreign disk) are no pictures: skipped.

    Raises SourceError for a folder that cannot be listed.
    """
    count = 0
    levels = [_Level(folder, iter(list_folder(folder)), count)]
    while levels:
        level = levels[-1]
        name, is_folder = next(level.entries, ("", False))
        path = os.path.join(level.path, name)
        if is_folder:
            levels.append(_Level(path, iter(list_folder(path)), count))
        elif name:
            if is_image(name):
                count += 1
                yield path
        else:
            levels.pop()
            if levels and count == level.before and is_image(level.path):
                count += 1
                yield level.path


def list_folder(path: str, *, follow: bool = False) -> list[tuple[str, bool]]:
    """Return (name, is a folder) of each entry, sorted; ``follow``: a link to a folder is one.

    Raises SourceError in a sentence when the folder cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=follow)) for entry in entries)
    except OSError as error:
        raise SourceError(
            f"the folder {storable(path)} cannot be listed ({error.strerror}); "
            "make it readable, or leave it out"
        ) from None


def is_image(path: str) -> bool:
    """Return whether a name's suffix is an image's, and it is no ``._`` file of macOS."""
    return splitext(path)[1].lower() in IMAGE_SUFFIXES and not path.startswith("._")
