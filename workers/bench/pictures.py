"""The pictures of a bench: those of a folder, or some that the demo draws."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.sources.folders import iterate_folder
from workers.demo.drawing import write_pictures

#: Pictures that are drawn at most (a few seconds); more are the same ones again.
_DRAWN = 200
#: The demo's own seed is 7, and those below drew what its model was trained on.
_SEED = 11


@dataclass(frozen=True, slots=True)
class Pictures:
    """Absolute paths of different pictures, and how many were left out as unreadable."""

    uris: tuple[str, ...]
    drawn: bool
    left_out: int = 0

    def repeated(self, images: int) -> list[str]:
        """Return so many paths: the same ones again where there are fewer."""
        return list(islice(cycle(self.uris), images))

    def spread_out(self, images: int) -> list[str]:
        """Return so many different paths at most, from all over the folder."""
        step = max(1, -(-len(self.uris) // images))
        return list(self.uris[::step])


def find_pictures(folder: Path | None, images: int, scratch: Path) -> Pictures:
    """Return ``images`` pictures at most: the first of a folder, or drawn into ``scratch``.

    Raises UsageError when the folder is none, or has no pictures; SourceError when it cannot be
    listed.
    """
    if folder is None:
        paths = write_pictures(scratch, min(images, _DRAWN), _SEED)
        return Pictures(tuple(map(str, paths)), drawn=True)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a folder of pictures, or none at all")
    found = tuple(islice(iterate_folder(str(folder.absolute())), images))
    if not found:
        raise UsageError(f"{folder} has no pictures; give a folder of pictures, or none at all")
    return Pictures(found, drawn=False)
