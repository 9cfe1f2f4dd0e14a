"""Hosts: the part of a URL that names a machine, in its one plain spelling."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

#: A name as the DNS can hold it; service names have underscores.
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST = 1000


def read_host(text: str) -> str:
    """Return the plain spelling of a URL's host: a name, or an IPv4 or IPv6 address.

    Full-width and other odd letters, dots and digits are made plain, and so are the numbers that
    C libraries take for an IPv4 address (``127.1``, ``0x7f000001``, ``0177.0.0.1``,
    ``2130706433``). Raises ValueError when it is none of these.
    """
    if text.startswith("["):
        return str(IPv6Address(text.removeprefix("[").removesuffix("]")))
    if not text or len(text) > _LONGEST:
        raise ValueError(text)
    # As a client would do it: IDNA with the mapping of UTS 46.
    name = normalise_name(URL.build(scheme="http", host=text).raw_host or "")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return str(_read_number(name))
    if not is_name(name):
        raise ValueError(text)
    return name


def normalise_name(host: str) -> str:
    """Return a name in lower case, without the dot at its end."""
    return host.lower().removesuffix(".")


def is_name(text: str) -> bool:
    """Return whether ``text`` is a host's name in its plain spelling, and no number."""
    return bool(_NAME.fullmatch(text)) and not _NUMBER.fullmatch(text.rpartition(".")[2])


def _read_number(text: str) -> IPv4Address:
    *firsts, last = [_read_part(part) for part in text.split(".")]
    if len(firsts) > 3 or any(part > 255 for part in firsts) or last >= 256 ** (4 - len(firsts)):
        raise ValueError(text)
    high = sum(part << 8 * (3 - place) for place, part in enumerate(firsts))
    return IPv4Address(high + last)


def _read_part(part: str) -> int:
    if not _NUMBER.fullmatch(part):
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)
