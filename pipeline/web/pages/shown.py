"""How numbers, times and names are written on the page."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

#: Stands where a number is not known.
UNKNOWN = "\N{EN DASH}"
#: Characters of a cell that are shown; what is longer keeps its beginning and its end.
_LONGEST = 120
#: Control, format (they turn the direction of a line), and half of a surrogate pair.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})


def number(value: float | None) -> str:
    """Return ``1,234``; nothing for None."""
    return "" if value is None else f"{value:,.0f}"


def rate(images_per_s: float | None) -> str:
    """Return ``1,234`` or ``12.3``, a dash while it is unknown."""
    if images_per_s is None:
        return UNKNOWN
    return f"{images_per_s:,.1f}" if images_per_s < 100 else f"{images_per_s:,.0f}"


def percent(share: float) -> str:
    """Return ``99.7 %`` for a share from 0 to 1; nothing is rounded up to all, or down to none."""
    shown = f"{100 * share:.1f}"
    if shown == "100.0" and share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if shown == "0.0" and share > 0 else f"{shown.removesuffix('.0')} %"


def score(value: float) -> str:
    """Return a score with three decimals, ``0.987``; only 1 itself is written ``1.000``."""
    return f"{min(value, 0.999) if value < 1 else value:.3f}"


def duration(seconds: float | None) -> str:
    """Return ``7 s``, ``12 min 30 s`` or ``3 h 05 min``, a dash while it is unknown."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def milliseconds(value: float | None) -> str:
    """Return ``0.4 ms``, ``123 ms`` or ``12.3 s``, a dash where it was not measured."""
    if value is None:
        return UNKNOWN
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def size(value: int | None) -> str:
    """Return a number of bytes as ``512 bytes``, ``34.5 kB`` or ``1.2 MB``."""
    if value is None:
        return UNKNOWN
    if value < 1000:
        return f"{value} bytes"
    return f"{value / 1000:,.1f} kB" if value < 1_000_000 else f"{value / 1_000_000:,.1f} MB"


def moment(value: datetime | None) -> str:
    """Return ``2026-11-28 14:07`` in UTC; the script writes it in the reader's time zone."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if value else UNKNOWN


def printable(text: str) -> str:
    """Return the text on one line, what cannot be seen written out: files have any names."""
    return "".join(_escape(c) if unicodedata.category(c) in _UNSEEN else c for c in text)


def clip(text: str, longest: int = _LONGEST) -> str:
    """Return a text of at most ``longest`` characters, printable, cut in the middle."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    half = (longest - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"


def last_part(uri: str) -> str:
    """Return the file's name in a path or a URL; the whole uri where there is none."""
    is_url = "://" in uri
    path = urlsplit(uri).path if is_url and _is_split(uri) else uri
    name = path.rstrip("/").rpartition("/")[2]
    return clip(unquote(name) if is_url else name, 60) or clip(uri, 60)


def _is_split(uri: str) -> bool:
    try:
        urlsplit(uri)
    except ValueError:  # http://[half an address
        return False
    return True


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
