from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.fetch.limits import FetchLimits
from pipeline.outgoing.policy import OutgoingPolicy


def test_an_allowed_network_opens_its_addresses_and_no_others() -> None:
    policy = OutgoingPolicy(("10.1.0.0/16", "fd12::/16", "127.0.0.1"))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "127.0.0.1", "8.8.8.8"):
        assert policy.why_blocked(address) is None
    for address in ("10.2.0.1", "fd13::1", "127.0.0.2", "64:ff9b::a01:203", "nonsense"):
        assert policy.why_blocked(address)


def test_a_name_is_allowed_by_itself_or_by_what_it_ends_in() -> None:
    policy = OutgoingPolicy(("minio.local", "*.Corp.local"))
    for name in ("minio.local", "MINIO.local.", "a.corp.local", "a.b.corp.local"):
        assert policy.allows_name(name)
    for name in ("corp.local", "notminio.local", "a.minio.local", "xcorp.local", "local", ""):
        assert not policy.allows_name(name)


@pytest.mark.parametrize(
    "entry", ["", "*", "*.", "http://minio", "minio:9000", "10.0.0.0/33", "a b", "10.1", "a..b"]
)
def test_an_entry_that_is_no_host_is_refused_in_a_sentence(entry: str) -> None:
    with pytest.raises(UsageError, match="--allow-private-hosts .* is no name, address or net"):
        OutgoingPolicy((entry,))


def test_a_network_that_is_written_as_one_of_its_addresses_is_refused() -> None:
    with pytest.raises(UsageError, match="'10.0.0.5/8' .* write 10.0.0.0/8 or the address alone"):
        OutgoingPolicy(("10.0.0.5/8",))


@pytest.mark.parametrize("proxy", ["proxy", "socks5://h:1", "http://", "http://h:99999", "h:3128"])
def test_a_proxy_that_is_no_http_address_is_refused(proxy: str) -> None:
    with pytest.raises(UsageError, match="--proxy"):
        OutgoingPolicy(proxy=proxy)


def test_a_policy_is_made_of_the_limits_of_fetching_and_hides_the_password() -> None:
    proxy = "http://me:secret@proxy.corp.local:3128"
    policy = OutgoingPolicy.of(FetchLimits(1, (), 15, ("minio.local",), (80, 9000), proxy))
    assert policy.ports == (80, 9000)
    assert policy.proxy == proxy
    assert policy.allows_name("minio.local")
    assert "secret" not in repr(policy)
