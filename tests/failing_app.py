"""The null app with what tests want to go wrong: `celery -A failing_app worker`.

A failpoint (see ``failpoints``); IMAGEMILL_TEST_ENGINE=lost, stalled or hung;
IMAGEMILL_TEST_NO_MODEL=1, a worker without any weights; a disk that is full as long as the file
IMAGEMILL_TEST_FULL_DISK exists; IMAGEMILL_TEST_VISIBILITY_S, after which Celery gives a message
to another, and IMAGEMILL_TEST_SOCKET_S, how long a command to Redis may take;
IMAGEMILL_TEST_HURRY=1 shortens the other times that no setting shortens.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import failpoints
from null_engine import NullEngine
from sqlalchemy import event
from sqlalchemy.pool import Pool

import pipeline.broker
import workers.carrier
import workers.engines
import workers.worker
from pipeline.config import Settings, load_settings
from pipeline.database import connections, patience
from pipeline.errors import EngineError
from pipeline.records import ImageRef
from workers.app import make_app
from workers.engine.requests import Answer

#: SQLite's own limit.
_ALL_PAGES = 2**30


class LostEngine(NullEngine):
    """Fails as an engine whose device is gone."""

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        """Answer with what a real engine says of a CUDA error."""
        future: Future[Answer] = Future()
        future.set_exception(EngineError("the device is lost: CUDA error: made up"))
        return future


class StalledEngine(NullEngine):
    """Takes chunks and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self._futures: list[Future[Answer]] = []
        self._since = 0.0

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        """Answer never."""
        self._since = self._since or time.monotonic()
        self._futures.append(Future())
        return self._futures[-1]

    def stalled_s(self) -> float:
        """Since the first chunk."""
        return time.monotonic() - self._since if self._since else 0.0

    def close(self) -> None:
        """Abandon all that it was given."""
        for future in self._futures:
            future.set_exception(EngineError("the engine was closed"))


class HungEngine(StalledEngine):
    """Takes chunks, never answers, and cannot even be stopped."""

    def close(self) -> None:
        """Hang, as in a driver."""
        threading.Event().wait()


_ENGINES: dict[str, type[NullEngine]] = {
    "null": NullEngine,
    "lost": LostEngine,
    "stalled": StalledEngine,
    "hung": HungEngine,
}


def start_engine(_weights: Path, _settings: Settings) -> NullEngine:
    """Start the engine that the environment names."""
    return _ENGINES[os.environ.get("IMAGEMILL_TEST_ENGINE", "null")]()


def hurry() -> None:
    """Shorten what takes its time for the sake of a whole cluster."""
    workers.carrier._ELSEWHERE_S = workers.carrier._PENANCE_S = 1.0
    workers.carrier._INSIST_S = 0.2
    workers.worker._WATCH_S = 0.1
    workers.worker._FAREWELL_S = 1.0
    workers.worker._GOODBYE_S = 1.0
    connections._BUSY_TIMEOUT_S = 0.2
    patience.PATIENCE_S = 0.5


def limit_disk(full: Path) -> None:
    """Let no SQLite file grow as long as the file ``full`` exists."""

    def limit(connection: Any, _record: object, _proxy: object) -> None:
        pages = 1 if full.exists() else _ALL_PAGES
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Pool, "checkout", limit)


def redeliver_after(visibility_s: float) -> None:
    """Let Celery give a message that was not acknowledged in time to another worker."""
    early = {"visibility_timeout": visibility_s, "unacked_restore_interval": 0.5}
    pipeline.broker._TRANSPORT.update(early)


def give_up_on_redis_after(socket_s: float) -> None:
    """Let a command to Redis take no longer."""
    names = ("socket_timeout", "socket_connect_timeout", "health_check_interval")
    pipeline.broker._TRANSPORT.update(dict.fromkeys(names, socket_s))


def lose_models() -> None:
    """Find no weights file, whatever its SHA-256."""
    vars(workers.engines)["find_by_sha256"] = lambda *_: None


def _find(name: str) -> str | None:
    return os.environ.get(f"IMAGEMILL_TEST_{name}")


failpoints.set_up()
if _find("HURRY"):
    hurry()
if _find("NO_MODEL"):
    lose_models()
if full_disk := _find("FULL_DISK"):
    limit_disk(Path(full_disk))
if visibility_s := _find("VISIBILITY_S"):
    redeliver_after(float(visibility_s))
if socket_s := _find("SOCKET_S"):
    give_up_on_redis_after(float(socket_s))
app = make_app(load_settings(), start_engine)
