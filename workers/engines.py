"""The engines of a worker: one for each model that its jobs ask for, found by SHA-256."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.config import Settings
from pipeline.errors import EngineError, WeightsError
from pipeline.fetch.roots import narrow
from pipeline.records import JobRules, Precision
from workers.absence import Absent
from workers.identity import PREPROCESSING
from workers.processing import ImageEngine
from workers.watch.vitals import Problem
from workers.weights import find_by_sha256

log = logging.getLogger(__name__)

#: Models that stay loaded; beyond them the one that was idle longest goes.
_MODELS = 4


class RunningEngine(ImageEngine, Protocol):
    """An engine whose life the worker looks after."""

    def stalled_s(self) -> float:
        """Return for how long images have been in flight without any progress, in seconds."""
        ...

    def close(self) -> None:
        """Stop at once: what is in flight is abandoned with EngineError."""
        ...


#: Starts an engine for a weights file.
StartEngine = Callable[[Path, Settings], RunningEngine]


@dataclass(frozen=True, slots=True)
class _Key:
    sha256: str
    precision: Precision
    max_pixels: int
    max_bytes: int
    roots: tuple[Path, ...]


@dataclass(slots=True)
class _Entry:
    engine: RunningEngine
    users: int = 0


class Engines:
    """Starts engines as jobs ask for them; may be used by any thread."""

    def __init__(self, settings: Settings, start: StartEngine) -> None:
        self._settings = settings
        self._start = start
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._door = threading.Lock()
        self._starting = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False

    @contextmanager
    def using(self, rules: JobRules) -> Iterator[RunningEngine]:
        """Yield the engine of a job's model, started if there is none yet.

        Jobs of one model share it, and its batches. Raises Absent when this worker cannot have
        the model, EngineError once the engines are closed.
        """
        entry = self._enter(rules)
        try:
            yield entry.engine
        finally:
            with self._door:
                entry.users -= 1

    def stalled_s(self) -> float:
        """Return the longest time that one of them has made no progress, in seconds."""
        with self._door:
            return max((e.engine.stalled_s() for e in self._entries.values()), default=0.0)

    def close(self) -> None:
        """Stop them all at once, and start none any more; when this returns they have stopped."""
        # Whoever comes second waits, too: a process that ends with a thread in the model aborts.
        with self._closing:
            with self._starting, self._door:
                self._closed = True
                entries = list(self._entries.values())
                self._entries.clear()
            for entry in entries:
                entry.engine.close()

    def _enter(self, rules: JobRules) -> _Entry:
        key = self._key(rules)
        # A second thread that asks for a model waits for the first to start it.
        with self._starting:
            entry = self._find(key)
            if entry is None:
                engine = self._start_for(rules, key)
                with self._door:
                    entry = self._entries[key] = _Entry(engine, users=1)
                self._close_idle()
        return entry

    def _find(self, key: _Key) -> _Entry | None:
        with self._door:
            if self._closed:
                raise EngineError("the engines were closed")
            entry = self._entries.get(key)
            if entry is not None:
                entry.users += 1
                self._entries.move_to_end(key)
            return entry

    def _start_for(self, rules: JobRules, key: _Key) -> RunningEngine:
        path = self._find_weights(rules)
        limits = {name: getattr(key, name) for name in ("max_pixels", "max_bytes", "roots")}
        settings = self._settings.model_copy(update={"precision": key.precision, **limits})
        log.info("model loading", extra={"model": key.sha256[:12], "weights": str(path)})
        try:
            return self._start(path, settings)
        except WeightsError as error:
            raise Absent(Problem.MODEL, str(error)) from None

    def _find_weights(self, rules: JobRules) -> Path:
        if rules.preprocessing != PREPROCESSING:
            raise Absent(
                Problem.MODEL,
                f"job {rules.handle} wants preprocessing {rules.preprocessing}, and this worker "
                f"has {PREPROCESSING}; run a worker of the version that submitted it",
            )
        path = find_by_sha256(rules.sha256, rules.weights, self._settings.weights)
        if path is None:
            raise Absent(
                Problem.MODEL,
                f"the model of job {rules.handle} ({rules.weights}, sha256 {rules.sha256[:12]}) is "
                "not here; put its file at the same path, or name it with IMAGEMILL_WEIGHTS",
            )
        return path

    def _key(self, rules: JobRules) -> _Key:
        # A job may ask for less than this worker allows, never for more.
        pixels = min(rules.max_pixels or self._settings.max_pixels, self._settings.max_pixels)
        bytes_ = min(rules.max_bytes or self._settings.max_bytes, self._settings.max_bytes)
        roots = narrow(self._settings.roots, rules.roots)
        return _Key(rules.sha256, rules.precision, pixels, bytes_, roots)

    def _close_idle(self) -> None:
        with self._door:
            idle = [key for key, entry in self._entries.items() if not entry.users]
            surplus = idle[: max(0, len(self._entries) - _MODELS)]
            closing = [self._entries.pop(key) for key in surplus]
        for entry in closing:
            entry.engine.close()
