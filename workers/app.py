"""The Celery app of the workers: `celery -A workers.app worker` works as it is.

Importing it opens nothing and loads no model: Flower and `celery inspect` need neither.
"""

from __future__ import annotations

import logging
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery, signals

from pipeline.broker import TASK, make_celery
from pipeline.config import Settings, load_settings
from pipeline.errors import ImagemillError
from workers.watch.logs import connect_to_celery

if TYPE_CHECKING:
    from workers.engines import StartEngine

log = logging.getLogger(__name__)

#: Chunks in hand at the same time, where nothing was set: what fills a GPU, or a CPU.
_GPU_CONCURRENCY, _CPU_CONCURRENCY = 12, 4
#: So many batches of images should be in hand: one in the model, the others on their way.
_FILL = 3


def make_app(settings: Settings, start_engine: StartEngine | None = None) -> Celery:
    """Return the Celery app of a worker with these settings. Raises BrokerError.

    ``start_engine`` takes the place of the real one, for those who measure or break what is
    around it.
    """
    made = make_celery(settings.broker_url)
    made.conf.worker_concurrency = settings.concurrency or _suitable_concurrency(settings.device)
    made.conf.worker_consumer = "workers.consumer:Consumer"
    connect_to_celery("json" if settings.log_format == "json" else "text")

    def start_worker(**_: object) -> None:
        try:
            _start(made, settings, start_engine)
        except ImagemillError as error:
            sys.stderr.write(f"imagemill: {error}\n")
            raise SystemExit(2) from None

    made.task(name=TASK, ignore_result=True)(_not_started)
    # Weak references to a local function would be gone at once.
    signals.worker_init.connect(start_worker, weak=False)
    return made


def _start(app: Celery, settings: Settings, start_engine: StartEngine | None) -> None:
    """Become a worker: called once, in the process that will carry chunks."""
    # Only here: torch takes seconds to import.
    from workers.classifier.making import list_engines
    from workers.devices import find_device
    from workers.engine import layout
    from workers.memory import keep_memory
    from workers.processes import warm_up
    from workers.specs import SUBMIT_CHUNK
    from workers.tuning.choosing import usual_batch
    from workers.worker import Worker

    # Before there are threads: glibc gives each an arena of its own, and they would keep it.
    keep_memory()
    device = find_device(settings.device)
    in_hand = app.conf.worker_concurrency * SUBMIT_CHUNK
    _check_fill(in_hand, settings.max_batch or usual_batch(on_gpu=device.type == "cuda"))
    warm_up()
    worker = Worker(settings, app, start_engine or layout.start_engine)
    engine = settings.engine or list_engines(settings.precision, device)[0]
    worker.metrics.describe(str(device), engine, version("imagemill"))
    worker.start()

    def carry(*fields: object) -> None:
        worker.carry(fields)

    def drain(*_: object, **__: object) -> None:
        worker.drain()
        # Celery's own second signal would break the pool off, and lose what it has in hand.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, drain)

    def be_ready(**_: object) -> None:
        # Celery ends with 1 after a Ctrl-C, and by SIGQUIT breaks off what it has in hand.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.getsignal(signal.SIGTERM))
        worker.be_ready()

    app.tasks[TASK].run = carry
    signals.worker_ready.connect(be_ready, weak=False)
    signals.worker_shutting_down.connect(drain, weak=False)
    signals.worker_shutdown.connect(lambda **_: worker.close(), weak=False)


def _check_fill(in_hand: int, max_batch: int) -> None:
    if in_hand < _FILL * max_batch:
        advice = "raise --concurrency, or lower --max-batch"
        log.warning("%d images in hand hardly fill batches of %d; %s", in_hand, max_batch, advice)


def _not_started(*_: Any) -> None:
    raise RuntimeError("this process is no worker")


def _suitable_concurrency(device: str) -> int:
    has_gpu = device != "cpu" and Path("/proc/driver/nvidia").exists()
    return _GPU_CONCURRENCY if has_gpu else _CPU_CONCURRENCY


def __getattr__(name: str) -> Celery:
    """Make ``app`` when it is asked for: settings that are wrong then end in a sentence."""
    if name != "app":
        raise AttributeError(name)
    try:
        globals()["app"] = made = make_app(load_settings())
    except ImagemillError as error:
        sys.stderr.write(f"imagemill: {error}\n")
        raise SystemExit(2) from None
    return made
