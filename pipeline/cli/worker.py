"""`imagemill worker`: carries the chunks of submitted jobs."""

import sys
from typing import Annotated

import typer

from pipeline.cli import options as take
from pipeline.cli.endings import leave, stop

EPILOG = take.examples(
    "imagemill worker",
    "imagemill worker --device all --metrics-port 9100",
    "imagemill worker --device cpu --concurrency 4 --log-format json",
)
WorkerDevice = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:N, or all: one process for each GPU.  [default: auto]",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Chunks in hand at the same time.  [default: what fills the device]"
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="Serve /metrics, /healthz and /readyz there."),
]
LogFormat = Annotated[
    str | None, typer.Option(metavar="FORM", help="text or json.  [default: text]")
]


def worker(
    device: WorkerDevice = None,
    concurrency: Concurrency = None,
    max_batch: take.MaxBatch = None,
    max_wait_ms: take.MaxWaitMs = None,
    loaders: take.Loaders = None,
    allow_private_hosts: take.AllowPrivateHosts = None,
    allow_ports: take.AllowPorts = None,
    schemes: take.Schemes = None,
    metrics_port: MetricsPort = None,
    log_format: LogFormat = None,
    database_url: take.DatabaseUrl = None,
    broker_url: take.BrokerUrl = None,
) -> None:
    """Carry the chunks of submitted jobs, until SIGTERM or Ctrl-C.

    It needs the addresses of the database and of the broker, and the pictures at the paths under
    which they were submitted. A stop finishes what is in hand, within IMAGEMILL_DRAIN_S.
    """
    from pipeline.config import load_settings
    from pipeline.fetch.limits import limits_of
    from pipeline.outgoing.policy import OutgoingPolicy

    settings = load_settings(
        device=device,
        concurrency=concurrency,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        loaders=loaders,
        allow_private_hosts=allow_private_hosts,
        allow_ports=allow_ports,
        schemes=schemes,
        metrics_port=metrics_port,
        log_format=log_format,
        database_url=database_url,
        broker_url=broker_url,
    )
    OutgoingPolicy.of(limits_of(settings))  # Wrong hosts are told now, not by every download.
    try:
        from workers.command import work

        code = work(settings, sys.argv[2:])
    except KeyboardInterrupt:
        # A stop before there was anything in hand is a good end, too.
        code = 0
    stop.code = None
    leave(code)
