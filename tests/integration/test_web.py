"""The web client against a server with every bad habit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

import pytest
from bad_host import BadHost, bad_host
from fake_names import FakeNames
from inside_addresses import ELSEWHERE, LOOPBACK
from yarl import URL

from pipeline.failures import PictureError
from pipeline.fetch.limits import Fetched, FetchLimits
from pipeline.fetch.looking import look_at
from pipeline.fetch.web import Web
from pipeline.records import Failure, FileFacts

PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 40


@pytest.fixture
def host() -> Iterator[BadHost]:
    with bad_host(PICTURE) as server:
        yield server


@pytest.fixture
def limits(host: BadHost) -> FetchLimits:
    return FetchLimits(
        1_000_000, private_hosts=("127.0.0.1",), ports=(80, 443, host.port), timeout_s=3
    )


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FakeNames:
    return FakeNames(monkeypatch)


def download(urls: Sequence[str], limits: FetchLimits) -> list[Fetched | Failure]:
    async def one(web: Web, url: str) -> Fetched | Failure:
        try:
            return await web.download(url)
        except PictureError as error:
            return error.failure

    async def all_of_them() -> list[Fetched | Failure]:
        web = Web(limits)
        try:
            return await asyncio.gather(*(one(web, url) for url in urls))
        finally:
            await web.close()

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("path", ["good", "chunked", "lies", "packed", "moved", "good?sig=a%2Fb"])
def test_an_image_comes_whole_however_it_is_sent(
    host: BadHost, limits: FetchLimits, path: str
) -> None:
    (found,) = download([host.url(path)], limits)
    assert isinstance(found, Fetched), found
    assert found.data == PICTURE


def test_its_version_is_its_etag_or_else_its_date(host: BadHost, limits: FetchLimits) -> None:
    etag, dated, none = download([host.url(p) for p in ("good", "dated", "chunked")], limits)
    assert isinstance(etag, Fetched)
    assert isinstance(dated, Fetched)
    assert isinstance(none, Fetched)
    assert etag.version == '"one"'
    assert dated.version == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert none.version is None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nothing", "http_4xx"),
        ("gone", "http_4xx"),
        ("loop", "http_4xx"),
        ("nowhere", "http_4xx"),
        ("late", "timeout"),
        ("busy", "http_429"),
        ("broken", "http_5xx"),
        ("unavailable", "http_5xx"),
        ("elsewhere", "unsupported_scheme"),
        ("inside", "blocked_address"),
        ("metadata", "blocked_address"),
        ("named", "invalid_reference"),
        ("bomb", "too_large"),
        ("endless", "too_large"),
        ("huge", "too_large"),
        ("trickle", "timeout"),
        ("silent", "timeout"),
        ("half", "timeout"),
        ("reset", "connect_error"),
        ("short", "connect_error"),
        ("garbage", "connect_error"),
        ("endless_head", "connect_error"),
    ],
)
def test_every_bad_habit_has_its_code_in_time(
    host: BadHost, limits: FetchLimits, path: str, code: str
) -> None:
    started = time.monotonic()
    (found,) = download([host.url(path)], limits)
    assert isinstance(found, Failure), found
    assert found.code == code, found
    assert time.monotonic() - started < 15


def test_a_server_that_trickles_is_left_before_the_time_is_over(
    host: BadHost, limits: FetchLimits
) -> None:
    started = time.monotonic()
    (found,) = download([host.url("trickle")], replace(limits, timeout_s=60))
    assert isinstance(found, Failure)
    assert found.code == "timeout"
    assert "slowly" in found.message
    assert time.monotonic() - started < 15


def test_an_answer_without_a_body_is_no_data(host: BadHost, limits: FetchLimits) -> None:
    (found,) = download([host.url("empty")], limits)
    assert isinstance(found, Fetched)
    assert found.data == b""


def test_nobody_listens(limits: FetchLimits) -> None:
    (found,) = download(["http://127.0.0.1:80/a.jpg"], limits)
    assert isinstance(found, Failure)
    assert found.code == "connect_error"


def test_a_host_that_asks_for_a_rest_is_left_alone(host: BadHost, limits: FetchLimits) -> None:
    one_at_a_time = replace(limits, host_downloads=1)
    found = download([host.url("busy")] * 5 + [host.url("good")], one_at_a_time)
    failures = [one for one in found if isinstance(one, Failure)]
    assert [one.code for one in failures] == ["http_429"] * 6
    assert all(one.retry_after_s and 6 < one.retry_after_s <= 7 for one in failures)
    assert host.asked.total() == 1


def test_a_host_that_does_not_answer_is_left_alone_after_a_few_times(
    host: BadHost, limits: FetchLimits
) -> None:
    quick = replace(limits, timeout_s=0.2, host_downloads=1)
    found = download([host.url("silent")] * 30, quick)
    assert {one.code for one in found if isinstance(one, Failure)} == {"timeout"}
    assert host.asked.total() == 5


def test_a_host_has_so_many_downloads_at_the_same_time(host: BadHost, limits: FetchLimits) -> None:
    few = replace(limits, host_downloads=3, timeout_s=1)
    download([host.url("silent")] * 3 + [host.url("good")] * 5, few)
    assert host.asked["/good"] == 5
    assert host.asked["/silent"] == 3


def test_many_connections_are_reused_and_honest(host: BadHost, limits: FetchLimits) -> None:
    found = download([host.url(f"good/{n}") for n in range(200)], limits)
    assert all(isinstance(one, Fetched) for one in found)
    assert "User-Agent: imagemill/" in host.headers[0]
    assert "Accept-Encoding: identity" in host.headers[0]


def test_the_environments_proxies_are_not_used(
    host: BadHost, limits: FetchLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (found,) = download([host.url("good")], limits)
    assert isinstance(found, Fetched)


def test_looking_asks_for_no_body(host: BadHost, limits: FetchLimits) -> None:
    found = look_at([host.url("good"), host.url("broken"), "http://10.0.0.1/"], limits)
    assert found == [FileFacts(len(PICTURE), '"one"'), None, None]
    assert host.headers[0].startswith("HEAD ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_redirect_leads_inside(
    host: BadHost, limits: FetchLimits, names: FakeNames, scheme: str
) -> None:
    """Only addresses of this machine are tried for real; a listener of its own would hear them."""
    names.add("front.example", ["127.0.0.1"])
    names.add("inside.example", ["127.0.0.1"])
    names.add("localhost", ["127.0.0.1"])
    with bad_host(PICTURE) as inside:
        ports = (*limits.ports, inside.port)
        strict = replace(limits, private_hosts=("front.example",), ports=ports, host_downloads=64)
        hosts = [*LOOPBACK, "inside.example", "localhost"]
        targets = [quote(f"{scheme}://{one}:{inside.port}/good", safe="") for one in hosts]
        front = host.url("to").replace("127.0.0.1", "front.example")
        found = download([f"{front}?{target}" for target in targets], strict)
        assert [one.code for one in found if isinstance(one, Failure)] == ["blocked_address"] * len(
            hosts
        )
        assert host.asked.total() == len(hosts)
        assert not inside.asked


@pytest.mark.parametrize("where", [*LOOPBACK, *ELSEWHERE])
def test_the_target_of_a_redirect_is_judged_like_any_address(where: str) -> None:
    async def judge(scheme: str) -> str:
        web = Web(FetchLimits(1000))
        try:
            web._read_target(URL("https://front.example/a.jpg"), f"{scheme}://{where}/b.jpg")
        except PictureError as error:
            return str(error.failure.code)
        finally:
            await web.close()
        return "allowed"

    assert asyncio.run(judge("http")) == "blocked_address"
    assert asyncio.run(judge("https")) == "blocked_address"
