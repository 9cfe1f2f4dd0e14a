"""Hosts: turns, rests, and the one that goes ahead after a rest."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.failures import PictureError
from pipeline.fetch.hosts import Host, Hosts
from pipeline.records import FailureCode


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def visit(host: Host, code: FailureCode | None = None, after_s: float | None = None) -> None:
    async with host.turn():
        await asyncio.sleep(0)
        if code:
            raise PictureError(code, "no answer", after_s)


def failed(host: Host, code: FailureCode | None = None, after_s: float | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        asyncio.run(visit(host, code, after_s))
    return str(caught.value)


def is_left_alone(host: Host) -> bool:
    try:
        asyncio.run(visit(host))
    except PictureError:
        return True
    return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_host_is_left_alone_after_five_times_without_an_answer(clock: Clock) -> None:
    host = Host(4, clock)
    for _ in range(4):
        failed(host, FailureCode.TIMEOUT)
    assert not is_left_alone(host)
    for _ in range(5):
        failed(host, FailureCode.CONNECT_ERROR)
    assert "left alone" in failed(host)
    clock.now += 31
    assert not is_left_alone(host)
    assert not is_left_alone(host)


def test_one_more_fault_after_the_rest_and_it_rests_again(clock: Clock) -> None:
    host = Host(4, clock)
    for _ in range(5):
        failed(host, FailureCode.TIMEOUT)
    clock.now += 31
    failed(host, FailureCode.TIMEOUT)
    assert is_left_alone(host)


def test_after_the_rest_only_one_goes_ahead(clock: Clock) -> None:
    host = Host(4, clock)
    for _ in range(5):
        failed(host, FailureCode.TIMEOUT)
    clock.now += 31

    async def go_together() -> list[object]:
        return await asyncio.gather(*(visit(host) for _ in range(4)), return_exceptions=True)

    found = asyncio.run(go_together())
    assert [isinstance(one, PictureError) for one in found] == [False, True, True, True]
    assert not is_left_alone(host)


def test_an_answer_that_is_no_image_is_an_answer(clock: Clock) -> None:
    host = Host(4, clock)
    for code in [FailureCode.TIMEOUT, FailureCode.HTTP_5XX] * 10:
        failed(host, code)
    assert not is_left_alone(host)


def test_a_host_that_says_for_how_long_is_left_alone_so_long(clock: Clock) -> None:
    host = Host(4, clock)
    failed(host, FailureCode.HTTP_429, 60.0)
    clock.now += 59
    with pytest.raises(PictureError) as caught:
        asyncio.run(visit(host))
    assert (caught.value.failure.code, caught.value.failure.retry_after_s) == ("http_429", 1.0)
    clock.now += 2
    assert not is_left_alone(host)


def test_hosts_are_remembered_by_name_and_port(clock: Clock) -> None:
    hosts = Hosts(1, clock)
    one = hosts.find("a", 80)
    assert hosts.find("a", 80) is one
    assert hosts.find("a", 443) is not one
