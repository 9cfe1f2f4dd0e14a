"""Addresses: whether one is public, whatever is wrapped in it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

#: All that IANA's special-purpose registries hold, and what clouds answer on; the first that fits
#: gives the words.
_INSIDE_4 = [
    (IPv4Network(network), reason)
    for network, reason in (
        ("169.254.169.254", "a cloud's metadata"),
        ("169.254.170.0/24", "a cloud's metadata"),
        ("100.100.100.200", "a cloud's metadata"),
        ("192.0.0.192", "a cloud's metadata"),
        # A public address, but inside of its cloud it answers every machine.
        ("168.63.129.16", "a cloud's metadata"),
        ("127.0.0.0/8", "this machine"),
        ("0.0.0.0/32", "this machine"),
        ("0.0.0.0/8", "no address of a host"),
        ("10.0.0.0/8", "a private network"),
        ("172.16.0.0/12", "a private network"),
        ("192.168.0.0/16", "a private network"),
        ("100.64.0.0/10", "a provider's own network"),
        ("169.254.0.0/16", "an address of one link only"),
        ("192.0.0.0/24", "a network for protocols"),
        ("192.31.196.0/24", "a network for protocols"),
        ("192.52.193.0/24", "a network for protocols"),
        ("192.88.99.0/24", "a network for protocols"),
        ("192.175.48.0/24", "a network for protocols"),
        ("192.0.2.0/24", "a network for documentation"),
        ("198.51.100.0/24", "a network for documentation"),
        ("203.0.113.0/24", "a network for documentation"),
        ("198.18.0.0/15", "a network for measurements"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255", "the broadcast address"),
        ("240.0.0.0/4", "a reserved network"),
    )
]
_INSIDE_6 = [
    (IPv6Network(network), reason)
    for network, reason in (
        ("fd00:ec2::/32", "a cloud's metadata"),
        ("fd20:ce::/32", "a cloud's metadata"),
        ("::1", "this machine"),
        ("::", "this machine"),
        ("fc00::/7", "a private network"),
        ("fec0::/10", "a private network"),
        ("fe80::/10", "an address of one link only"),
        ("ff00::/8", "a multicast address"),
        # Teredo, ORCHID, benchmarks and the anycast addresses of protocols are all in here.
        ("2001::/23", "a network for protocols"),
        ("2001:db8::/32", "a network for documentation"),
        ("3fff::/20", "a network for documentation"),
        ("2002::/16", "a tunnel (6to4)"),
        ("2620:4f:8000::/48", "a network for protocols"),
        ("3ffe::/16", "a reserved network"),
        ("64:ff9b:1::/48", "a network's own translator (NAT64)"),
    )
]
#: All that was ever given out to hosts of the public internet.
_PUBLIC_6 = IPv6Network("2000::/3")
_MAPPED, _NAT64 = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")
_COMPATIBLE, _LOCAL_NAT64 = IPv6Network("::/96"), IPv6Network("64:ff9b:1::/48")
#: What the last 64 bits of an ISATAP address begin with.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def why_blocked(address: str | IPv4Address | IPv6Address) -> str | None:
    """Return in a few words what lies at an address that is not public; None: it is public.

    An IPv4 address in an IPv6 one is judged, too. Text that is no address is blocked.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(found, IPv4Address):
        return _find(found)
    if found.scope_id is not None:
        return "an address of one link only"
    return _judge_6(found)


def unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that a mapped one (``::ffff:...``) means to the system."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _judge_6(address: IPv6Address) -> str | None:
    if address in _MAPPED or address in _NAT64:
        # What is connected to in the end is the IPv4 address, here or behind the translator.
        return _find(_low(int(address)))
    plain = _find(address)
    # ::1 and :: are no wrapped addresses, though they look like 0.0.0.1 and 0.0.0.0.
    wrapped = None if plain == "this machine" else _judge_wrapped(address)
    outside = None if address in _PUBLIC_6 else "a reserved network"
    return wrapped or plain or outside


def _judge_wrapped(address: IPv6Address) -> str | None:
    """Return what is wrong with the first wrapped address that is not public."""
    return next((reason for one in _list_wrapped(address) if (reason := _find(one))), None)


def _list_wrapped(address: IPv6Address) -> list[IPv4Address]:
    bits, found = int(address), list[IPv4Address]()
    if address in _COMPATIBLE or address in _LOCAL_NAT64:
        found.append(_low(bits))
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        found.append(_low(bits))
    return found


def _low(bits: int) -> IPv4Address:
    return IPv4Address(bits & 0xFFFFFFFF)


def _find(address: IPv4Address | IPv6Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _INSIDE_4 if address in network), None)
    return next((reason for network, reason in _INSIDE_6 if address in network), None)
