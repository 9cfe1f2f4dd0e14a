"""The handler: one short request without a body, read within limits, and its answer."""

from __future__ import annotations

import io
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

#: A request line with its headers at most, in bytes (and what one buffer holds more).
_REQUEST_BYTES = 16_384


class ShortRequest(BaseHTTPRequestHandler):
    """Reads a request within limits; methods without a ``do_`` go to ``refuse_method``."""

    server_version = "imagemill"
    sys_version = ""
    #: Until the request line is read.
    command = ""
    request_version = "HTTP/1.0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.refuse_method
        raise AttributeError(name)

    def setup(self) -> None:
        """Read through a meter."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Metered(self.connection, "rb"))

    def handle(self) -> None:
        """Answer the request, or say that it is too long."""
        try:
            super().handle()
        except _TooLongError:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def refuse_method(self) -> None:
        """Answer that only reading is possible."""
        self.answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"", Allow="GET, HEAD")

    def answer(self, status: HTTPStatus, kind: str, body: bytes, **headers: str) -> None:
        """Send an answer; after HEAD without its body."""
        self.send_response(status)
        named = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in {**named, "Cache-Control": "no-store", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of requests: they come every few seconds."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        """Say nothing of broken requests."""


class _TooLongError(Exception):
    pass


class _Metered(socket.SocketIO):
    _left = _REQUEST_BYTES

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise _TooLongError
        count = super().readinto(buffer)
        self._left -= count or 0
        return count
