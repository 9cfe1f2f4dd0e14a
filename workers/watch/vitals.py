"""Vitals: what is wrong with this worker now, and who of it gives no sign of life."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from workers.watch.secrets import mask

log = logging.getLogger(__name__)


class Problem(StrEnum):
    """What a worker can be in trouble with."""

    DATABASE = "database"
    BROKER = "broker"
    MODEL = "model"
    FOLDER = "folder"
    ENGINE = "engine"


class _Phase(StrEnum):
    STARTING = "it is starting"
    AT_WORK = "it is at work"
    DRAINING = "it was told to stop, and finishes what it has in hand"


@dataclass(frozen=True, slots=True)
class _Trouble:
    sentence: str
    until: float


class Vitals:
    """What is wrong with this worker; every method may be called from any thread.

    ``clock`` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._phase = _Phase.STARTING
        self._troubles: dict[Problem, _Trouble] = {}
        self._due: dict[str, float] = {}

    def start(self) -> None:
        """Note that the worker takes chunks from now on."""
        self._phase = _Phase.AT_WORK

    def drain(self) -> None:
        """Note that the worker takes no more chunks."""
        self._phase = _Phase.DRAINING

    def trouble(self, problem: Problem, sentence: str, for_s: float = math.inf) -> None:
        """Note that something is wrong, until ``fine`` is said or ``for_s`` seconds have passed.

        The first word of it is logged. ``for_s`` is for what nobody calls off, such as a model
        that one job alone asked for: who meets it again, says so again.
        """
        sentence = mask(sentence)
        with self._lock:
            new = problem not in self._current()
            self._troubles[problem] = _Trouble(sentence, self._clock() + for_s)
        if new:
            log.warning("%s: %s", problem, sentence)

    def fine(self, problem: Problem) -> None:
        """Note that nothing is wrong there; the end of a trouble is logged."""
        with self._lock:
            was = problem in self._current()
            self._troubles.pop(problem, None)
        if was:
            log.info("%s: well again", problem)

    @contextmanager
    def watching(self, problem: Problem, *errors: type[Exception]) -> Iterator[None]:
        """Note trouble when one of ``errors`` passes through, and fine when nothing does."""
        try:
            yield
        except errors as error:
            self.trouble(problem, str(error))
            raise
        self.fine(problem)

    def problems(self) -> dict[str, str]:
        """Return what is wrong now: a sentence by the problem's name."""
        with self._lock:
            return {str(problem): its.sentence for problem, its in self._current().items()}

    def beat(self, name: str, limit_s: float) -> None:
        """Give a sign of life of ``name``: the next is due within ``limit_s`` seconds."""
        with self._lock:
            self._due[name] = self._clock() + limit_s

    def rest(self, name: str) -> None:
        """Expect no more signs of life of ``name``."""
        with self._lock:
            self._due.pop(name, None)

    def stuck(self) -> list[str]:
        """Return the names whose sign of life is overdue."""
        with self._lock:
            now = self._clock()
            return sorted(name for name, due in self._due.items() if due < now)

    def obstacles(self) -> dict[str, str]:
        """Return why the worker is not ready: its problems, its phase, and what is stuck."""
        found = self.problems()
        if self._phase != _Phase.AT_WORK:
            found["worker"] = str(self._phase)
        if stuck := self.stuck():
            found["stuck"] = f"no sign of life of {', '.join(stuck)}"
        return found

    def _current(self) -> dict[Problem, _Trouble]:
        now = self._clock()
        self._troubles = {name: its for name, its in self._troubles.items() if its.until > now}
        return self._troubles
