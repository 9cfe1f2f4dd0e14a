# ruff: noqa: RUF001 (odd letters are the point)
from __future__ import annotations

import pytest
from inside_addresses import INSIDE, NO_HOSTS

from pipeline.failures import PictureError
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.outgoing.urls import read_url
from pipeline.records import FailureCode

_POLICY = OutgoingPolicy()


def _code(text: str, policy: OutgoingPolicy = _POLICY) -> FailureCode:
    with pytest.raises(PictureError) as caught:
        read_url(text, policy)
    assert "secret" not in caught.value.failure.message
    return caught.value.failure.code


def test_there_are_many_spellings_of_an_inside_address() -> None:
    assert len(set(INSIDE)) >= 60


@pytest.mark.parametrize("host", INSIDE)
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_every_spelling_of_an_inside_address_is_blocked(scheme: str, host: str) -> None:
    assert _code(f"{scheme}://{host}/a.jpg?secret=1") is FailureCode.BLOCKED_ADDRESS


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_programs_read_in_different_ways_is_no_host(host: str) -> None:
    assert _code(f"http://{host}/a.jpg") is FailureCode.INVALID_REFERENCE


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://EXAMPLE.com./a", "http://example.com/a"),
        ("https://example.com:443/a#part", "https://example.com/a"),
        ("http://example.com:443/a", "http://example.com:443/a"),
        ("http://example.com?a=b", "http://example.com/?a=b"),
        ("https://münchen.example/ü b.jpg", "https://xn--mnchen-3ya.example/%C3%BC%20b.jpg"),
        ("https://ｅｘａｍｐｌｅ。com/", "https://example.com/"),
        ("http://0x08080808/", "http://8.8.8.8/"),
        ("http://８.8.8.8./", "http://8.8.8.8/"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("http://a_b.example/", "http://a_b.example/"),
        # A signature covers the very spelling.
        ("http://b.example/a%2Fb?X-Sig=%2b%7E+/=", "http://b.example/a%2Fb?X-Sig=%2b%7E+/="),
        ("http://b.example/a/../b", "http://b.example/a/../b"),
    ],
)
def test_a_url_is_handed_on_in_its_plain_spelling(text: str, plain: str) -> None:
    assert str(read_url(text, _POLICY)) == plain


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a.jpg",
            "http:/example.com",
            "http:example.com",
            "//example.com",
            " http://a.example",
        ),
        *("http:///a.jpg", "http://user@example.com/", "http://me:secret@example.com/"),
        *("http://@example.com/", "http://example.com\\@a.example/", "http://a.example/a\tb"),
        *(
            "http://a.example/\n",
            "http://a.example/\x00",
            "http://a.example:x/",
            "\x01http://a.example",
        ),
        *("http://a.example:99999/", "http://a.example:8０/", "http://a.example:80:80/"),
        *("http:\\\\a.example\\b", "http://a.example\u2028/", "http://a.example/\udcff"),
    ],
)
def test_what_is_no_plain_url_is_invalid(text: str) -> None:
    assert _code(text) is FailureCode.INVALID_REFERENCE


@pytest.mark.parametrize(
    "text", ["ftp://example.com/a", "file:///etc/passwd", "gopher://a.example"]
)
def test_only_http_and_https_are_the_web(text: str) -> None:
    assert _code(text) is FailureCode.UNSUPPORTED_SCHEME


def test_only_the_ports_of_the_policy_may_be_connected_to() -> None:
    for port in (0, 22, 6379, 8080):
        assert _code(f"http://example.com:{port}/") is FailureCode.BLOCKED_ADDRESS
    allowed = OutgoingPolicy(ports=(80, 443, 8080))
    assert read_url("http://example.com:8080/", allowed).port == 8080


def test_an_allowed_address_may_be_spelled_in_any_way() -> None:
    policy = OutgoingPolicy(("127.0.0.1", "::1"))
    for host in ("127.1", "2130706433", "0x7f.1", "１２７.0.0.1."):
        assert read_url(f"http://{host}/", policy).host == "127.0.0.1"
    assert read_url("http://[0:0::1]/", policy).host == "::1"


def test_behind_a_proxy_the_names_of_this_machine_are_blocked() -> None:
    proxied = OutgoingPolicy(proxy="http://proxy.example:3128")
    for host in ("localhost", "LOCALHOST.", "a.localhost", "metadata.google.internal"):
        assert _code(f"http://{host}/", proxied) is FailureCode.BLOCKED_ADDRESS
    allowed = OutgoingPolicy(("localhost",), proxy="http://proxy.example:3128")
    assert read_url("http://localhost/", allowed).host == "localhost"
    assert read_url("http://example.com/", proxied).host == "example.com"
