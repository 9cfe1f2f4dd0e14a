"""The server: one process that listens, says where, and ends at once when it is told to."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import uvicorn

from pipeline.database.database import open_database
from pipeline.errors import UsageError
from pipeline.tokens.tokens import has_tokens
from pipeline.web.app import make_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from fastapi import FastAPI

    from pipeline.config import Settings
    from pipeline.database.database import Database

#: How long what is being sent may take once the server was told to end, in seconds.
_LAST_S = 3


def run_server(settings: Settings, say: Callable[[str], None]) -> str:
    """Serve until a signal, and return its name; ``say`` hears one line when it listens.

    Raises UsageError when it may not or cannot listen there, and DatabaseError.
    """
    with closing(open_database(settings.database_url)) as database:
        needs_token = _needs_token(database)
        listener = listen(settings.host, settings.port)
        with closing(listener):
            loopback = _is_loopback(listener)
            if not (needs_token or loopback):
                raise UsageError(
                    f"without any token it listens on this machine alone, not on {settings.host}; "
                    "make one first: imagemill tokens create NAME --scope admin"
                )
            app = make_app(settings, database, loopback=loopback)
            server = Server(app)
            say(f"{address_of(listener)} {_explain(needs_token)}")
            server.run([listener])
    return server.told


class Server(uvicorn.Server):
    """A server that ends its open streams, too, when it is told to end."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                # An access log would hold addresses with their queries.
                access_log=False,
                log_config=None,
                log_level=logging.WARNING,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=_LAST_S,
            )
        )
        self._app = app
        #: The signal that ended it.
        self.told = ""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Remember the signal, and end."""
        self.told = signal.Signals(sig).name
        super().handle_exit(sig, frame)
        # What it heard is ours: it shall not be raised again.
        self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything."""
        self._app.state.context.watches.close()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; UsageError in a sentence when that cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        # What the library makes of it names the address a second time.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise UsageError(
            f"it cannot listen on {host} port {port} ({reason}); choose another --host or --port"
        ) from None


def address_of(listener: socket.socket) -> str:
    """Return the address that a browser takes."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def _needs_token(database: Database) -> bool:
    with database.reading() as connection:
        return has_tokens(connection)


def _explain(needs_token: bool) -> str:
    if needs_token:
        return "(a token is needed: imagemill tokens list shows them)"
    return (
        "(no token: loopback only; `imagemill tokens create NAME --scope read` opens it to others)"
    )
