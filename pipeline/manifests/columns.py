"""Which columns of a manifest hold the references and the user's own ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.manifests.broken import BrokenManifestError
from pipeline.references import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: A column of one of these names (in any case) holds the references, in this order of preference.
URI_COLUMNS = (
    "uri", "url", "path", "image", "image_path", "image_url", "file", "filename", "file_name",
)  # fmt: skip

#: So many column names are shown, and so much of each.
_SHOWN, _SHOWN_LENGTH = 12, 40


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns a user named; None: the references by their usual names, no ids."""

    uri: str | None = None
    id: str | None = None

    def find_uri(self, names: Sequence[str]) -> str:
        """Return the name of the references' column; raises BrokenManifestError if it has none."""
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BrokenManifestError(f"it has two columns {_shown([twice])}; rename one")
        if self.uri is not None:
            return _named(self.uri, names)
        by_name = {name.lower(): name for name in reversed(names)}
        for usual in URI_COLUMNS:
            if usual in by_name:
                return by_name[usual]
        raise BrokenManifestError(
            f"it has none of the columns {', '.join(URI_COLUMNS)} (its columns: {_shown(names)}); "
            "name one with --uri-column"
        )

    def find_id(self, names: Sequence[str]) -> str | None:
        """Return the name of the ids' column, None if none was named; raises as ``find_uri``."""
        return None if self.id is None else _named(self.id, names)


def _named(wanted: str, names: Sequence[str]) -> str:
    if wanted not in names:
        raise BrokenManifestError(f"it has no column {wanted!r}; its columns: {_shown(names)}")
    return wanted


def _shown(names: Iterable[str]) -> str:
    # A manifest without a header shows its first row here: never a signed URL's query.
    shown = [repr(storable(name.partition("?")[0])[:_SHOWN_LENGTH]) for name in names]
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
