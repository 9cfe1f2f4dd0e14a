"""The gate to the engine: ordinary chunks go in together, a solo chunk by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A solo chunk waits until nobody is inside, and those who come later wait for it.

    Whoever dies with a solo chunk inside has one chunk to blame.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False
        self._solos_waiting = 0

    @contextmanager
    def enter(self, solo: bool) -> Iterator[None]:
        """Be inside meanwhile; alone, if ``solo``."""
        with self._changed:
            if solo:
                self._wait_alone()
            else:
                self._changed.wait_for(lambda: not (self._alone or self._solos_waiting))
            self._inside += 1
            self._alone = solo
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._alone = False
                self._changed.notify_all()

    def _wait_alone(self) -> None:
        self._solos_waiting += 1
        try:
            self._changed.wait_for(lambda: self._inside == 0)
        finally:
            self._solos_waiting -= 1
