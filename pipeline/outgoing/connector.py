"""The connector: aiohttp's, with a judge before each lookup's answer and each connection."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from pipeline.outgoing.explaining import explain
from pipeline.outgoing.resolving import CheckedResolver, checked_socket

if TYPE_CHECKING:
    from typing import Any

    from aiohttp import ClientTimeout

    from pipeline.outgoing.policy import OutgoingPolicy

__all__ = ["explain", "make_connector", "make_session"]

#: How long the answer of a lookup is kept, in seconds.
_NAMES_S = 30


def make_connector(policy: OutgoingPolicy, *, limit: int, limit_per_host: int) -> TCPConnector:
    """Return a connector that connects only to what the policy allows, within an event loop.

    ``limit`` connections at the same time, ``limit_per_host`` of them to one host and port.
    URLs go through ``read_url`` first, redirects too; a session with it follows none by itself
    (``allow_redirects=False``), has ``trust_env=False``, and asks through ``policy.proxy``.
    """
    resolver = CheckedResolver(policy)
    return TCPConnector(
        resolver=resolver,
        ttl_dns_cache=_NAMES_S,
        socket_factory=partial(checked_socket, policy=policy, vouched=resolver.vouched),
        limit=limit,
        limit_per_host=limit_per_host,
    )


def make_session(
    policy: OutgoingPolicy, timeout: ClientTimeout, *, limit: int = 0, **options: Any
) -> ClientSession:
    """Return a session behind that connector, within an event loop; ``limit`` 0 is none.

    No cookies, nothing unpacked, and nothing of the environment: no proxies, no passwords.
    """
    return ClientSession(
        connector=make_connector(policy, limit=limit, limit_per_host=limit),
        timeout=timeout,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        **options,
    )
