"""Hosts: the names under which a server that needs no token may be asked for."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.web.problems import Problem

if TYPE_CHECKING:
    from pipeline.web.context import Context


def check_host(context: Context, host: str) -> None:
    """Raise Problem (403) for a Host header that is no name of this machine's loopback.

    A foreign name that leads here is a trick (DNS rebinding): a page of that name would ask as
    this machine's user. Where a token is needed it has none: there any name will do.
    """
    if not _is_known(host, ("localhost", context.settings.host.lower())):
        raise Problem(
            403,
            "foreign_host",
            "this server listens on this machine alone, and is asked for by another name; use "
            "http://127.0.0.1 and its port, or make a token: imagemill tokens create NAME",
        )


def _is_known(host: str, names: tuple[str, ...]) -> bool:
    name = urlsplit(f"//{host}").hostname if host.isascii() else None
    if name is None or name in names:
        return name is not None
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
