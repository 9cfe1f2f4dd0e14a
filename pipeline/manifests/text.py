"""Plain lists: a reference a line, as ``find`` and ``ls`` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def iterate_text(lines: Iterable[str]) -> Iterator[tuple[str, None]]:
    """Yield (reference, no id) of each line that is not blank; other spaces are the name's own."""
    for line in lines:
        if line and not line.isspace():
            yield line.rstrip("\r\n"), None
