"""The policy: what a process may connect to beside the public internet."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from yarl import URL

from pipeline.errors import UsageError
from pipeline.outgoing.addresses import unwrap, why_blocked
from pipeline.outgoing.hosts import is_name, normalise_name

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits

    _Network = IPv4Network | IPv6Network

_ANY = "*."


@dataclass(frozen=True, slots=True)
class OutgoingPolicy:
    """Public addresses may be connected to on ``ports``; of others only ``private_hosts``.

    Those are names (``minio.local``, ``*.corp.local``), addresses and networks (``10.0.0.0/8``).
    With a ``proxy`` it is the only thing that is connected to: whoever set it trusts it.
    Raises UsageError for an entry that is none of these, and for a proxy that is no http URL.
    """

    private_hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)
    proxy: str | None = field(default=None, repr=False)
    _names: frozenset[str] = field(init=False, repr=False, default=frozenset())
    _networks: tuple[_Network, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        names: set[str] = set()
        networks: list[_Network] = []
        for entry in self.private_hosts:
            network = _find_network(entry)
            if network is not None:
                networks.append(network)
            else:
                names.add(_read_name(entry))
        object.__setattr__(self, "_names", frozenset(names))
        object.__setattr__(self, "_networks", tuple(networks))
        if self.proxy is not None and not _is_proxy(self.proxy):
            raise UsageError(
                "--proxy (IMAGEMILL_PROXY): it takes the address of an HTTP proxy, for example "
                "http://proxy.corp.local:3128"
            )

    @classmethod
    def of(cls, limits: FetchLimits) -> OutgoingPolicy:
        """Return the policy of a process with these limits."""
        return cls(limits.private_hosts, limits.ports, limits.proxy)

    def allows_name(self, host: str) -> bool:
        """Return whether a name may lead anywhere, since ``private_hosts`` has it."""
        name = normalise_name(host)
        above = name.split(".")[1:]
        suffixes = (_ANY + ".".join(above[start:]) for start in range(len(above)))
        return name in self._names or not self._names.isdisjoint(suffixes)

    def why_blocked(self, address: str) -> str | None:
        """Return in a few words why an address may not be connected to; None: it may be."""
        reason = why_blocked(address)
        if reason is None or not self._networks:
            return reason
        try:
            found = unwrap(ip_address(address))
        except ValueError:
            return reason
        return None if any(found in network for network in self._networks) else reason


def _is_proxy(text: str) -> bool:
    try:
        url = URL(text)
        return url.scheme in ("http", "https") and bool(url.host and url.port) and url.path == "/"
    except ValueError:
        return False


def _find_network(entry: str) -> _Network | None:
    bare = entry.removeprefix("[").removesuffix("]")
    try:
        return ip_network(bare)
    except ValueError as error:
        if "host bits" not in str(error):
            return None
    wider = ip_network(bare, strict=False)
    raise _refuse(entry, f"is an address within a network; write {wider} or the address alone")


def _read_name(entry: str) -> str:
    name = normalise_name(entry)
    if not is_name(name.removeprefix(_ANY)):
        raise _refuse(
            entry,
            "is no name, address or network; write for example minio.local, *.corp.local, "
            "10.0.0.5 or 10.0.0.0/8 (ports go to --allow-ports)",
        )
    return name


def _refuse(entry: str, reason: str) -> UsageError:
    return UsageError(f"--allow-private-hosts (IMAGEMILL_ALLOW_PRIVATE_HOSTS): {entry!r} {reason}")
