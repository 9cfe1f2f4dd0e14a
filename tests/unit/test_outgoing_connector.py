from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import ResolveResult
from fake_names import FakeNames
from inside_addresses import INSIDE, LOOPBACK
from yarl import URL

from pipeline.outgoing import lookups
from pipeline.outgoing.connector import explain, make_connector
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.outgoing.resolving import BlockedAddressError, CheckedResolver, checked_socket
from pipeline.records import Failure, FailureCode

#: Addresses of loopback: where the listeners are.
_HERE = ("127.0.0.1", "::1", "127.0.0.2")


class Listener:
    """Counts the connections that are made to one port of this machine, and answers them."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        async with AsyncExitStack() as stack:
            for address in _HERE:
                server = await asyncio.start_server(self._answer, address, self.port)
                await stack.enter_async_context(server)
                self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()


Get = Callable[..., Coroutine[Any, Any, str | Failure]]


@asynccontextmanager
async def _session(policy: OutgoingPolicy, port: int) -> AsyncIterator[Get]:
    """Yield a GET of a real session, without ``read_url``: only the connector stands guard."""
    connector = make_connector(policy, limit=10, limit_per_host=5)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def get(host: str, scheme: str = "http") -> str | Failure:
            try:
                url = URL(f"{scheme}://{host}:{port}/")
                async with session.get(url, allow_redirects=False, proxy=policy.proxy) as answer:
                    return await answer.text()
            except Exception as error:
                return explain(error).failure

        yield get


def _ask(policy: OutgoingPolicy, *hosts: str, scheme: str = "http") -> tuple[list[Any], int]:
    """Return the answers of the hosts, asked in turn, and how many connections were made."""

    async def work() -> tuple[list[Any], int]:
        async with Listener().listening() as listener, _session(policy, listener.port) as get:
            return [await partial(get, scheme=scheme)(host) for host in hosts], listener.connections

    return asyncio.run(work())


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FakeNames:
    return FakeNames(monkeypatch)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_this_machine_is_ever_connected_to(names: FakeNames, scheme: str) -> None:
    hosts = [host for host in LOOPBACK if host.isascii()]
    answers, connections = _ask(OutgoingPolicy(), *hosts, scheme=scheme)
    assert connections == 0
    assert all(isinstance(answer, Failure) for answer in answers)
    # aiohttp refuses some numbers by itself, before anything is asked.
    assert sum(answer.code is FailureCode.BLOCKED_ADDRESS for answer in answers) > len(hosts) / 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_name_with_an_address_of_this_machine_is_connected_to(
    names: FakeNames, scheme: str
) -> None:
    addresses = ["127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"]
    for number, address in enumerate(addresses):
        names.add(f"n{number}.example", [address])
    hosts = [f"n{number}.example" for number in range(len(addresses))]
    answers, connections = _ask(OutgoingPolicy(), *hosts, scheme=scheme)
    assert connections == 0
    assert {answer.code for answer in answers} == {FailureCode.BLOCKED_ADDRESS}


def test_an_allowed_address_is_connected_to(names: FakeNames) -> None:
    names.add("store.example", ["127.0.0.1"])
    policy = OutgoingPolicy(("127.0.0.1",))
    answers, connections = _ask(policy, "127.0.0.1", "store.example", "[::1]", "127.0.0.2")
    assert answers[:2] == ["ok", "ok"]
    assert [answer.code for answer in answers[2:]] == [FailureCode.BLOCKED_ADDRESS] * 2
    assert connections == 2


def test_an_allowed_name_is_connected_to_wherever_it_leads(names: FakeNames) -> None:
    names.add("store.corp.example", ["127.0.0.1"])
    names.add("other.example", ["127.0.0.1"])
    policy = OutgoingPolicy(("*.corp.example",))
    answers, connections = _ask(policy, "store.corp.example", "other.example")
    assert answers[0] == "ok"
    assert answers[1].code is FailureCode.BLOCKED_ADDRESS
    assert connections == 1


def test_one_inside_address_among_several_blocks_the_name(names: FakeNames) -> None:
    names.add("mixed.example", ["127.0.0.2", "127.0.0.1"])
    answers, connections = _ask(OutgoingPolicy(("127.0.0.2",)), "mixed.example")
    assert answers[0].code is FailureCode.BLOCKED_ADDRESS
    assert connections == 0


def test_a_name_is_connected_to_at_the_address_that_was_judged(names: FakeNames) -> None:
    names.add("moving.example", ["127.0.0.2"], ["127.0.0.1"])
    policy = OutgoingPolicy(("127.0.0.2",))
    answers, connections = _ask(policy, "moving.example", "moving.example")
    assert answers == ["ok", "ok"]
    assert names.asked == ["moving.example"]
    assert connections == 2


def test_a_name_that_changes_its_address_gets_nowhere(names: FakeNames) -> None:
    names.add("moving.example", ["127.0.0.2"], ["127.0.0.1"])

    async def work() -> tuple[list[str | Failure], int]:
        async with Listener().listening() as listener:
            found = []
            for _ in range(2):
                async with _session(OutgoingPolicy(("127.0.0.2",)), listener.port) as get:
                    found.append(await get("moving.example"))
            return found, listener.connections

    (first, second), connections = asyncio.run(work())
    assert first == "ok"
    assert isinstance(second, Failure)
    assert second.code is FailureCode.BLOCKED_ADDRESS
    assert connections == 1


def test_a_resolver_that_judges_nothing_comes_no_further_than_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lie(*_: Any, **__: Any) -> list[ResolveResult]:
        return [ResolveResult(hostname="a", host="127.0.0.1", port=1, family=2, proto=6, flags=0)]

    monkeypatch.setattr(CheckedResolver, "resolve", lie)
    answers, connections = _ask(OutgoingPolicy(), "changed.example")
    assert answers[0].code is FailureCode.BLOCKED_ADDRESS
    assert connections == 0


def test_the_gate_takes_no_name_for_an_address() -> None:
    for host in ("localhost", "127.1", "fe80::1%1"):
        info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 80))
        with pytest.raises(BlockedAddressError):
            checked_socket(info, OutgoingPolicy())


@pytest.mark.parametrize("host", [host for host in INSIDE if host.startswith("[")])
def test_a_name_with_any_inside_address_is_blocked(names: FakeNames, host: str) -> None:
    address = host.strip("[]").replace("%25", "%")
    names.add("inside.example", ["8.8.8.8", address])

    async def work() -> None:
        await CheckedResolver(OutgoingPolicy()).resolve("inside.example", 80)

    with pytest.raises(BlockedAddressError, match="--allow-private-hosts"):
        asyncio.run(work())


def test_a_public_name_keeps_all_of_its_addresses(names: FakeNames) -> None:
    names.add("public.example", ["2606:4700::1111", "8.8.8.8"])

    async def work() -> list[str]:
        found = await CheckedResolver(OutgoingPolicy()).resolve("public.example", 443)
        return [place["host"] for place in found]

    assert asyncio.run(work()) == ["2606:4700::1111", "8.8.8.8"]


def test_through_a_proxy_nothing_but_the_proxy_is_connected_to(names: FakeNames) -> None:
    async def work() -> tuple[str | Failure, int]:
        async with Listener().listening() as listener:
            policy = OutgoingPolicy(proxy=f"http://127.0.0.1:{listener.port}")
            async with _session(policy, listener.port) as get:
                return await get("far.example"), listener.connections

    assert asyncio.run(work()) == ("ok", 1)
    assert names.asked == []


def test_a_name_that_nobody_answers_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: Any) -> list[Any]:
        over.wait(30)
        return []

    monkeypatch.setattr(lookups, "getaddrinfo", hang)
    monkeypatch.setattr(lookups, "PATIENCE_S", 0.2)
    answers, _ = _ask(OutgoingPolicy(), "slow.example")
    over.set()
    assert answers[0].code is FailureCode.DNS_ERROR
    assert answers[0].retryable


def test_a_name_that_does_not_exist_says_so(names: FakeNames) -> None:
    answers, _ = _ask(OutgoingPolicy(), "nowhere.example")
    assert answers[0] == Failure(FailureCode.DNS_ERROR, "there is no host of that name")
