"""Doors: what a request must be like to be heard at all, whatever it asks for."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from pipeline.web.problems import Problem, answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pipeline.web.metrics import Metrics

log = logging.getLogger(__name__)

#: What the addresses of the API begin with.
API = "/api/v1"
#: The status of a request that nobody answered: the client went.
_NO_ANSWER = 499
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_OWN_SITES = frozenset(("same-origin", "none"))
#: Nothing is loaded from elsewhere, and nobody may show us in a frame.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": a browser would call the origin of our own forms "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Doors:
    """Measures requests, adds headers, answers HEAD, and turns away what other sites sent.

    No more than ``most_bytes`` of a body are read.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, most_bytes: int) -> None:
        self._app = app
        self._metrics = metrics
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inside = {**scope, "method": "GET"} if scope["method"] == "HEAD" else dict(scope)
        exchange = _Exchange(scope["method"] == "HEAD", receive, send, self._most_bytes)
        started = time.perf_counter()
        try:
            self._check(scope)
            await self._app(inside, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status != _NO_ANSWER:
                raise  # Half an answer is none: the connection breaks off.
            if not isinstance(error, Problem):
                log.exception("a request ended in a bug")
            await answer(error)(inside, exchange.receive, exchange.send)
        finally:
            route = _find_route(inside)
            self._metrics.observe(route, exchange.status, time.perf_counter() - started)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE:
            _check_site(headers, headers.get("host", ""))
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._most_bytes:
            raise too_long(self._most_bytes)


class _Exchange:
    """One request and its answer: counts the body, and adds to the answer's headers."""

    def __init__(self, is_head: bool, receive: Receive, send: Send, most_bytes: int) -> None:
        self.status = _NO_ANSWER
        self._is_head = is_head
        self._receive = receive
        self._send = send
        self._most_bytes = most_bytes
        self._bytes = 0
        self._done = False

    async def receive(self) -> Message:
        if self._done:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            raise too_long(self._most_bytes)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        if not self._is_head:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
            self._done = True  # A stream ends by this: its reader seems to have gone.


def too_long(most_bytes: int) -> Problem:
    """Return the refusal of a body that is too long."""
    return Problem(
        413,
        "too_long",
        f"a request may have {most_bytes:,} bytes; send less at once, or ask the operator to "
        "raise IMAGEMILL_UPLOAD_BYTES",
    )


def _find_route(scope: Scope) -> str:
    """Return the address that was asked for as its route has it; ``other``: there is none."""
    route = getattr(scope.get("route"), "path", None)
    if route is None:
        return "other"
    # A router that is part of another may know its own part of the address alone.
    is_api = scope["path"].startswith(API) and not route.startswith(API)
    return f"{API}{route}" if is_api else str(route)


def _check_site(headers: Headers, host: str) -> None:
    """Raise Problem (403) when a browser says that another site made it send this."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_foreign = site is not None and site not in _OWN_SITES
    if origin is not None and not (origin == "null" and site in _OWN_SITES):
        is_foreign |= origin.partition("://")[2] != host
    if is_foreign:
        raise Problem(
            403, "foreign_site", "another site made your browser send this; nothing was done"
        )
