"""How sources are read: a manifest's columns, and which uris are wanted."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.manifests.columns import Columns
from pipeline.references import find_scheme

if TYPE_CHECKING:
    from collections.abc import Callable

#: Elsewhere ``?`` and ``#`` are letters of a name.
_WEB = ("http", "https")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Columns of manifests (None: the usual names, no ids), and shell patterns for uris.

    A pattern, in which ``*`` crosses folders and case counts, is for the whole uri or its last part
    (of the web's: without its query; in an archive: the member's). ``include``: only what one of
    them matches; ``exclude`` wins.
    """

    uri_column: str | None = None
    id_column: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def columns(self) -> Columns:
        """The columns of a manifest."""
        return Columns(self.uri_column, self.id_column)

    def make_predicate(self) -> Callable[[str], bool]:
        """Return the function that says whether a uri is wanted."""
        if not self.include and not self.exclude:
            return lambda _: True
        included, excluded = _compile(self.include or ("*",)), _compile(self.exclude)

        def is_wanted(uri: str) -> bool:
            names = (uri, _last_part(uri))
            return any(map(included, names)) and not any(map(excluded, names))

        return is_wanted


def _compile(patterns: tuple[str, ...]) -> Callable[[str], object]:
    nothing = r"(?!)"
    return re.compile("|".join(map(fnmatch.translate, patterns)) or nothing).match


def _last_part(uri: str) -> str:
    if find_scheme(uri) in _WEB:
        uri = re.split("[?#]", uri, maxsplit=1)[0]
    return uri.rpartition("/")[2]
