"""The listener: an HTTP server on which no client can hold anything for long."""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

from workers.watch.handler import ShortRequest

log = logging.getLogger(__name__)

#: How often the listener looks for connections that last too long, in seconds.
TICK_S = 0.1
#: Connections at the same time; when one more comes, the oldest is cut.
_CONNECTIONS = 16


class Listener(ThreadingHTTPServer):
    """A server whose connections last ``patience_s`` seconds at most; port 0 takes a free one.

    Raises OSError when nothing can listen there.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, host: str, port: int, handler: type[ShortRequest], patience_s: float
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._patience_s = patience_s
        self._since: dict[socket.socket, float] = {}
        self._door = threading.Lock()
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        """Bind; not as HTTPServer does, which asks a name server for the host's full name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection."""
        try:
            return super().get_request()
        except OSError:
            # No descriptor is left: the client stays in the queue, and the loop would spin.
            time.sleep(TICK_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own; the oldest of too many is cut."""
        with self._door:
            if len(self._since) >= _CONNECTIONS:
                oldest = min(self._since, key=lambda one: self._since[one])
                del self._since[oldest]
                _cut(oldest)
            self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Cut the connections that last too long; the server's loop calls it."""
        self._cut_older(self._patience_s)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._door:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and cut every connection."""
        super().server_close()
        self._cut_older(0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what kept a request from its answer; a client that went away is no news."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        log.log(level, "a request was not answered", exc_info=True)

    def _cut_older(self, age_s: float) -> None:
        with self._door:
            before = time.monotonic() - age_s
            for request in [one for one, since in self._since.items() if since <= before]:
                _cut(request)


def _cut(request: socket.socket) -> None:
    # Whoever waits for it wakes up, and closes it.
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
