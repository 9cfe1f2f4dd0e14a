"""Braces: the names that ``shard-{0000..0099}.tar`` means, as WebDataset's users write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BRACES = re.compile(r"\{(?:(\d{1,12})\.\.(\d{1,12})|([^{},]*(?:,[^{},]*)+))\}")
#: More names than these are a slip of the pen.
_MOST = 1_000_000


def has_braces(text: str) -> bool:
    """Return whether ``text`` has braces that mean several names."""
    return bool(_BRACES.search(text))


def expand_braces(text: str) -> Iterator[str]:
    """Yield each name that ``text`` means: ``{00..12}`` counts, ``{a,b}`` lists; in that order.

    Raises SourceError for more than a million names.
    """
    _check_count(text)
    return _expand(text)


def _expand(text: str) -> Iterator[str]:
    match = _BRACES.search(text)
    if match is None:
        yield text
        return
    before, after = text[: match.start()], text[match.end() :]
    for choice in _choices(match):
        for rest in _expand(after):
            yield f"{before}{choice}{rest}"


def _choices(match: re.Match[str]) -> Iterable[str]:
    if match[3] is not None:
        return match[3].split(",")
    # As bash does: zeros in front of one end mean that all have the same number of digits.
    padded = any(end.startswith("0") and len(end) > 1 for end in (match[1], match[2]))
    width = max(len(match[1]), len(match[2])) if padded else 0
    return (f"{number:0{width}}" for number in _numbers(match))


def _numbers(match: re.Match[str]) -> range:
    first, last = int(match[1]), int(match[2])
    step = 1 if first <= last else -1
    return range(first, last + step, step)


def _check_count(text: str) -> None:
    count = 1
    for match in _BRACES.finditer(text):
        count *= len(match[3].split(",")) if match[3] is not None else len(_numbers(match))
    if count > _MOST:
        raise SourceError(f"{text} means {count:,} names; {_MOST:,} are the most")
