"""The web: an image by HTTP, guarded at every step of the way to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from yarl import URL

from pipeline.failures import PictureError
from pipeline.fetch.answers import REDIRECTS, check_status, find_version
from pipeline.fetch.bodies import Bodies
from pipeline.fetch.hosts import Hosts
from pipeline.fetch.limits import Fetched
from pipeline.outgoing.connector import explain, make_session
from pipeline.outgoing.policy import OutgoingPolicy
from pipeline.outgoing.urls import read_url
from pipeline.records import FailureCode, FileFacts

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits

T = TypeVar("T")
_Take = Callable[[aiohttp.ClientResponse], Awaitable[T]]

#: Redirects that are followed: more than any honest image needs.
_REDIRECTS = 5
#: How long a connection may take to come about, and how long nothing may come, in seconds.
_CONNECT_S, _SILENCE_S = 5.0, 10.0
USER_AGENT = f"imagemill/{version('imagemill')} (bulk image classification)"
#: As it is stored: unpacking is the business of nobody on the way.
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}


class Web:
    """Downloads images; make it and use it in one event loop. Connections are kept and reused."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = limits
        self._policy = OutgoingPolicy.of(limits)
        self._hosts = Hosts(limits.host_downloads)
        self._under_way = asyncio.Semaphore(limits.downloads)
        self._bodies = Bodies(limits.max_bytes)
        timeout = aiohttp.ClientTimeout(None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        self._session = make_session(self._policy, timeout, headers=_HEADERS, read_bufsize=2**18)

    async def download(self, url: str) -> Fetched:
        """Return an image's bytes, and its ETag or Last-Modified.

        Raises PictureError: invalid_reference, unsupported_scheme, blocked_address, dns_error,
        connect_error, timeout, http_4xx, http_429, http_5xx, too_large, truncated, decode_error.
        """
        return await self._follow("GET", url, self._take_bytes)

    async def look_at(self, url: str) -> FileFacts:
        """Return what a server says of an image without sending it: its size and its version.

        Raises PictureError as ``download`` does.
        """
        return await self._follow("HEAD", url, _take_facts)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _follow(self, method: str, address: str, take: _Take[T]) -> T:
        """Ask, redirect by redirect.

        The time limit is for all of them together, and does not run while one waits for its turn.
        """
        url, left_s = read_url(address, self._policy), self._limits.timeout_s
        for _ in range(_REDIRECTS + 1):
            started, waited_s = time.monotonic(), 0.0
            # A host's turn first: who waits for a slow host holds up nobody else.
            async with self._hosts.find(url.host or "", url.port or 0).turn(), self._under_way:
                waited_s = time.monotonic() - started
                found = await self._ask_in_time(method, url, take, left_s)
            if not isinstance(found, URL):
                return found
            url = found
            left_s -= time.monotonic() - started - waited_s
        raise PictureError(FailureCode.HTTP_4XX, f"it was redirected more than {_REDIRECTS} times")

    async def _ask_in_time(self, method: str, url: URL, take: _Take[T], left_s: float) -> T | URL:
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await self._ask(method, url, take)
        except TimeoutError:
            message = f"no answer within {self._limits.timeout_s:g} s (IMAGEMILL_URL_TIMEOUT_S)"
            raise PictureError(FailureCode.TIMEOUT, message) from None
        except (aiohttp.ClientError, OSError) as error:
            raise explain(error) from None

    async def _ask(self, method: str, url: URL, take: _Take[T]) -> T | URL:
        """Return what ``take`` makes of the answer, or where a redirect leads."""
        async with self._session.request(
            method, url, allow_redirects=False, proxy=self._limits.proxy
        ) as response:
            if response.status in REDIRECTS:
                return self._read_target(url, response.headers.get("Location"))
            check_status(response.status, response.headers)
            return await take(response)

    def _read_target(self, url: URL, location: str | None) -> URL:
        if not location:
            raise PictureError(FailureCode.HTTP_4XX, "a redirect leads nowhere")
        try:
            target = str(url.join(URL(location)))
        except ValueError:
            raise PictureError(FailureCode.HTTP_4XX, "a redirect leads to no URL") from None
        return read_url(target, self._policy)

    async def _take_bytes(self, response: aiohttp.ClientResponse) -> Fetched:
        return Fetched(await self._bodies.read(response), find_version(response.headers))


async def _take_facts(response: aiohttp.ClientResponse) -> FileFacts:
    return FileFacts(response.content_length, find_version(response.headers))
