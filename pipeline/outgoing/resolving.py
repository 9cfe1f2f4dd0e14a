"""Resolving: names are looked up once, and all of their addresses are judged."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pipeline.outgoing.lookups import Lookups
from pipeline.outgoing.urls import describe_blocked

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohappyeyeballs import AddrInfoType

    from pipeline.outgoing.policy import OutgoingPolicy

#: An address and a port.
Place = tuple[str, int]


class BlockedAddressError(OSError):
    """An address, or a name with such an address, that may not be connected to."""

    def __init__(self, reason: str) -> None:
        super().__init__(describe_blocked(reason))


class CheckedResolver(AbstractResolver):
    """Looks names up for aiohttp, within an event loop; one bad address blocks the whole name.

    ``vouched`` are the addresses of names that the policy allows, whatever they are.
    """

    def __init__(self, policy: OutgoingPolicy) -> None:
        self._policy = policy
        self._proxy = URL(policy.proxy) if policy.proxy else None
        self._lookups = Lookups()
        self.vouched: set[Place] = set(_list_literal(self._proxy))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a host's addresses, in the system's order.

        Raises BlockedAddressError, and another OSError when it has none or nobody answers.
        """
        found = await self._lookups.look_up(host, port, family)
        places = [_as_result(host, port, info) for info in found]
        if self._is_trusted(host, port):
            self.vouched.update((place["host"], port) for place in places)
            return places
        for place in places:
            if reason := self._policy.why_blocked(place["host"]):
                raise BlockedAddressError(reason)
        return places

    async def close(self) -> None:
        """Do nothing: no lookup holds anything that outlives it."""

    def _is_trusted(self, host: str, port: int) -> bool:
        proxy = self._proxy
        is_proxy = proxy is not None and (host, port) == (proxy.raw_host, proxy.port)
        return is_proxy or self._policy.allows_name(host)


def checked_socket(
    info: AddrInfoType, policy: OutgoingPolicy, vouched: Collection[Place] = frozenset()
) -> socket.socket:
    """Return a socket for the address that is about to be connected to: the last gate.

    Literal addresses come only here, and a resolver that errs comes no further.
    Raises BlockedAddressError.
    """
    family, kind, protocol, _, (host, port, *_more) = info
    reason = None if (host, port) in vouched else policy.why_blocked(str(host))
    if reason:
        raise BlockedAddressError(reason)
    return socket.socket(family, kind, protocol)


def _list_literal(proxy: URL | None) -> list[Place]:
    return [] if proxy is None else [(proxy.host or "", proxy.port or 0)]


def _as_result(
    name: str, port: int, info: tuple[int, int, int, str, tuple[object, ...]]
) -> ResolveResult:
    family, _, protocol, _, (address, *_more) = info
    return ResolveResult(
        hostname=name,
        # A link's addresses bring their zone, so that the judge sees it.
        host=str(address),
        port=port,
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST,
    )
