"""The drain: what is in hand is finished within a deadline, and the rest is given back."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Drain:
    """Begins once; ``begun`` and ``over`` are events that others wait for.

    At the deadline ``on_over`` is called in a thread of its own.
    """

    def __init__(self, on_over: Callable[[], None]) -> None:
        self.begun = threading.Event()
        self.over = threading.Event()
        self._on_over = on_over
        self._door = threading.Lock()

    def begin(self, deadline_s: float) -> None:
        """Take no new chunk, and give back in so many seconds what is in hand then."""
        with self._door:
            if self.begun.is_set():
                return
            self.begun.set()
        timer = threading.Thread(target=self._wait, args=(deadline_s,), name="drain", daemon=True)
        timer.start()

    def hurry(self) -> None:
        """Give back now."""
        self.begin(0)
        self.over.set()

    def _wait(self, deadline_s: float) -> None:
        self.over.wait(deadline_s)
        self.over.set()
        self._on_over()
