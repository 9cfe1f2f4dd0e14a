"""Known answers: the scores of bytes that the same model has seen before."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pipeline.known.asker import Asker
from pipeline.known.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.records import Score

#: How long a picture waits for the database, in seconds; then it is classified like any other.
PATIENCE_S = 2.0
#: How long the database is not asked after a fault, in seconds; it doubles with every further one.
_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0


class KnownAnswers:
    """Looks for the answers to bytes in the database, over a connection that only reads.

    It connects at the first question, in the process that asks; pickled, it has no connection.
    Safe for many threads. Raises DatabaseError for an address that cannot be read.
    """

    _asker: Asker | None

    def __init__(self, database_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._set_up(Driver.to(database_url), clock)

    def __getstate__(self) -> tuple[Driver, Callable[[], float]]:
        return (self._driver, self._clock)

    def __setstate__(self, state: tuple[Driver, Callable[[], float]]) -> None:
        self._set_up(*state)

    def find(self, model_id: int, top_k: int, digest: bytes) -> tuple[Score, ...] | None:
        """Return the best ``top_k`` scores (or those of all classes) of the bytes; None: unknown.

        ``digest`` is their SHA-256. It never raises and never waits longer than PATIENCE_S: a
        database that is away or slow knows nothing, and is left alone for a while.
        """
        asker = self._find_asker()
        if asker is None:
            return None
        try:
            answer = asker.ask(model_id, top_k, digest).result(PATIENCE_S)
        except Exception:
            # Whatever it was: the picture can be classified all the same.
            self._give_up(asker)
            return None
        self._pause_s = _PAUSE_S
        return answer

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            if self._asker is not None:
                self._asker.leave()
            self._asker = None

    def _set_up(self, driver: Driver, clock: Callable[[], float]) -> None:
        self._driver = driver
        self._clock = clock
        self._lock = threading.Lock()
        self._asker = None
        self._pause_s = _PAUSE_S
        self._asks_again = clock()

    def _find_asker(self) -> Asker | None:
        with self._lock:
            if self._asker is None and self._clock() >= self._asks_again:
                self._asker = Asker(self._driver)
            return self._asker

    def _give_up(self, asker: Asker) -> None:
        asker.leave()
        with self._lock:
            # Of many threads that waited for the same fault one counts.
            if self._asker is asker:
                self._asker = None
                self._asks_again = self._clock() + self._pause_s
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
