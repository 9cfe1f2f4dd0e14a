"""Numbers in addresses, as people and links write them."""

from __future__ import annotations

#: Digits of a number that a database has.
_DIGITS = 9


def read_number(text: str) -> int | None:
    """Return the number from 0 on that a text is, of at most nine digits; None: it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else None


def read_page(text: str, cursor: str) -> int:
    """Return the number of a page as its address tells it; without a cursor it is the first."""
    number = read_number(text) if cursor else None
    return 1 if number is None else number
