"""`imagemill serve`: the page and the HTTP API."""

from typing import Annotated

import typer

from pipeline.cli import options as take
from pipeline.cli.endings import INTERRUPTED, leave, stop
from pipeline.cli.output import answer

EPILOG = take.examples(
    "imagemill serve",
    "imagemill serve --port 9000",
    "imagemill tokens create laptop --scope submit; imagemill serve --host 0.0.0.0",
)
Host = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Where it listens.  [default: 127.0.0.1]"),
]
Port = Annotated[
    int | None, typer.Option(metavar="PORT", help="0 takes a free one.  [default: 8420]")
]
Uploads = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Where pictures go that are sent over HTTP."),
]


def serve(
    host: Host = None,
    port: Port = None,
    uploads: Uploads = None,
    allow_private_hosts: take.AllowPrivateHosts = None,
    allow_ports: take.AllowPorts = None,
    schemes: take.Schemes = None,
    database_url: take.DatabaseUrl = None,
    broker_url: take.BrokerUrl = None,
) -> None:
    """Serve the page and the HTTP API, until Ctrl-C or SIGTERM.

    Without any token it listens on this machine alone. Local paths are taken over HTTP only below
    IMAGEMILL_ROOTS. The workers classify: start them with `imagemill worker`.
    """
    from pathlib import Path

    from pipeline.config import load_settings
    from pipeline.web.server import run_server

    settings = load_settings(
        host=host,
        port=port,
        uploads=None if uploads is None else Path(uploads),
        allow_private_hosts=allow_private_hosts,
        allow_ports=allow_ports,
        schemes=schemes,
        database_url=database_url,
        broker_url=broker_url,
    )
    was_told = run_server(settings, answer)
    # A supervisor's stop is a good end; Ctrl-C is told apart, as everywhere.
    stop.code = None
    leave(INTERRUPTED if was_told == "SIGINT" else 0)
