from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.outgoing.addresses import why_blocked


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1"),
        *("223.255.255.255", "11.0.0.1", "9.255.255.255", "126.255.255.255", "128.0.0.1"),
        *("2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00::1", "2620:fe::fe"),
        *("::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::5efe:808:808", "2003::1"),
    ],
)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert why_blocked(address) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.8.9.1", "this machine"),
        ("0.0.0.0", "this machine"),
        ("::", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("::7f00:1", "this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("64:ff9b:1::a00:1", "a private network"),
        ("2002:a00:1::", "a private network"),
        ("2002:808:808::", "a tunnel (6to4)"),
        # Teredo: its server, then its client, which is written upside down.
        ("2001:0:a00:1:0:0:f7f7:f7f7", "a private network"),
        ("2001:0:808:808:0:0:f5ff:fffe", "a private network"),
        ("2606:4700::5efe:a00:1", "a private network"),
        ("2606:4700::200:5efe:a00:1", "a private network"),
        ("169.254.169.254", "a cloud's metadata"),
        ("fd00:ec2::254", "a cloud's metadata"),
        ("::ffff:169.254.169.254", "a cloud's metadata"),
        ("168.63.129.16", "a cloud's metadata"),
        ("100.64.0.1", "a provider's own network"),
        ("fec0::1", "a private network"),
        ("fe80::1%eth0", "an address of one link only"),
        ("2606:4700::1111%1", "an address of one link only"),
        ("255.255.255.255", "the broadcast address"),
        ("::808:808", "a reserved network"),
        ("localhost", "no address"),
        ("127.1", "no address"),
        ("", "no address"),
    ],
)
def test_an_address_inside_is_blocked_and_says_what_it_is(address: str, reason: str) -> None:
    assert why_blocked(address) == reason


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_inside_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if why_blocked(address) is None:
        plain = getattr(address, "ipv4_mapped", None) or address
        assert not plain.is_private
        assert not plain.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_behind_every_wrapping(address: ipaddress.IPv4Address) -> None:
    low, inner = int(address), why_blocked(address)
    mapped = ipaddress.IPv6Address(0xFFFF << 32 | low)
    behind_nat64 = ipaddress.IPv6Address(0x64FF9B << 96 | low)
    assert why_blocked(mapped) == why_blocked(behind_nat64) == inner
    isatap = ipaddress.IPv6Address(0x26064700 << 96 | 0x5EFE << 32 | low)
    assert why_blocked(isatap) == inner
