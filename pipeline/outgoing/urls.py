"""URLs: read once, judged by what they say, and handed on in their one plain spelling."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yarl import URL

from pipeline.failures import PictureError
from pipeline.outgoing.hosts import is_name, read_host
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from pipeline.outgoing.policy import OutgoingPolicy

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
#: Characters that programs read in different ways: whoever judges sees one host, and whoever
#: connects another.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
#: What may be sent as it is; a signature covers the very spelling.
_AS_IT_IS = re.compile(r"(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_PORTS = {"http": 80, "https": 443}
#: Names that mean a place inside wherever they are looked up.
_INSIDE = ("localhost", "metadata.google.internal")


def read_url(text: str, policy: OutgoingPolicy) -> URL:
    """Return an http or https URL that may be asked for, its host in its plain spelling.

    Names are judged when they are looked up; whatever spells an address is judged here.
    Raises PictureError: invalid_reference, unsupported_scheme, blocked_address.
    """
    scheme, authority, rest = _split(text)
    host, port = _read_authority(authority, scheme)
    _judge_host(host, policy)
    if port not in policy.ports:
        raise PictureError(
            FailureCode.BLOCKED_ADDRESS,
            f"port {port} may not be connected to (add it with --allow-ports)",
        )
    shown = f"[{host}]" if ":" in host else host
    tail = rest if rest.startswith("/") else f"/{rest}"
    shown_port = "" if port == _PORTS[scheme] else f":{port}"
    as_it_is = bool(_AS_IT_IS.fullmatch(tail))
    return URL(f"{scheme}://{shown}{shown_port}{tail}", encoded=as_it_is)


def _split(text: str) -> tuple[str, str, str]:
    if _AMBIGUOUS.search(text):
        raise _invalid("the URL has a character that no URL may have")
    found = _URL.match(text)
    if found is None:
        raise _invalid("this is no URL of the form http://host/path")
    scheme = found[1].lower()
    if scheme not in _PORTS:
        raise PictureError(
            FailureCode.UNSUPPORTED_SCHEME, f"{scheme}:// addresses cannot be read from the web"
        )
    return scheme, found[2], found[3]


def _read_authority(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise _invalid("a URL may not hold a user or a password")
    found = _AUTHORITY.fullmatch(authority)
    port = int(found[2][:9]) if found and found[2] else _PORTS[scheme]
    if found is None or port > 65_535:
        raise _invalid("the URL's host or port cannot be read")
    if "%" in found[1] and found[1].startswith("["):
        raise _blocked("an address of one link only")
    try:
        return read_host(found[1]), port
    except ValueError:
        raise _invalid("the URL's host is no name and no address") from None


def _judge_host(host: str, policy: OutgoingPolicy) -> None:
    if not is_name(host):
        reason = policy.why_blocked(host)
    else:
        # A proxy would look them up, out of our sight; without one the resolver judges.
        inside = any(host == name or host.endswith(f".{name}") for name in _INSIDE)
        seen = policy.proxy is None or policy.allows_name(host)
        reason = "this machine or its cloud" if inside and not seen else None
    if reason:
        raise _blocked(reason)


def _invalid(message: str) -> PictureError:
    return PictureError(FailureCode.INVALID_REFERENCE, message)


def _blocked(reason: str) -> PictureError:
    return PictureError(FailureCode.BLOCKED_ADDRESS, describe_blocked(reason))


def describe_blocked(reason: str) -> str:
    """Return the sentence about an address that is blocked for ``reason``."""
    return f"the address leads to {reason}, which may not be connected to (--allow-private-hosts)"
