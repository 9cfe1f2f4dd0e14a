"""What `imagemill worker` does: become the Celery process, or the parent of one for each GPU."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence

from celery.bin.celery import celery

from pipeline.config import Settings
from workers.app import make_app
from workers.supervisor import command_for, supervise
from workers.watch.logs import set_up_logs

log = logging.getLogger(__name__)

#: Options of the parent that each child gets in a form of its own.
_OWN = ("--device", "--metrics-port")


def work(settings: Settings, argv: Sequence[str]) -> int:
    """Work until told to stop; return the exit code. ``argv`` is what the command was given.

    Raises BrokerError for an address that is none; the rest is said by the worker itself.
    """
    set_up_logs("json" if settings.log_format == "json" else "text")
    gpus = _count_gpus() if settings.device == "all" else 0
    if gpus:
        others = list(_without(argv, _OWN))
        commands = [_child(gpu, settings.metrics_port, others) for gpu in range(gpus)]
        return supervise(commands, settings.drain_s)
    return _become_celery(settings)


def _become_celery(settings: Settings) -> int:
    app = make_app(settings)
    name = f"{settings.device}-{os.getpid()}@%h"
    options = ["--hostname", name, "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    # Not app.start: it forgets the exit code of a worker that failed.
    celery.params[0].default = app
    code = celery.main(["--quiet", "worker", *options], standalone_mode=False)
    return int(code or 0)


def _child(gpu: int, metrics_port: int | None, others: Sequence[str]) -> list[str]:
    # Port 0 means a free one, for each.
    port = metrics_port + gpu if metrics_port else metrics_port
    own = [] if port is None else ["--metrics-port", str(port)]
    return command_for(f"cuda:{gpu}", [*others, *own])


def _without(argv: Iterable[str], names: Sequence[str]) -> Iterator[str]:
    words = iter(argv)
    for word in words:
        if word in names:
            next(words, None)
        elif not word.startswith(tuple(f"{name}=" for name in names)):
            yield word


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()
