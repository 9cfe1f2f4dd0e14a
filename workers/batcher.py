"""The dynamic batcher: many small pieces in, full batches out. Standard library only."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Clock(Protocol):
    """What the batcher needs to know of time."""

    def now(self) -> float:
        """Return seconds that only grow."""
        ...

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        """Wait on ``condition``, whose lock is held, for at most ``timeout_s``."""
        ...


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """Return ``time.monotonic()``."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        """Wait on the condition."""
        condition.wait(timeout_s)


class Batcher(Generic[T]):
    """Merge items of all chunks and jobs in flight into batches, in the order they came.

    ``max_batch`` is a hard cap and counts items (one item is one image). The waiting window of
    ``max_wait_ms`` opens when the first item of a batch comes in; a full batch never waits.
    Any number of threads may put, and any number may take.
    """

    def __init__(self, max_batch: int, max_wait_ms: float, clock: Clock | None = None) -> None:
        self._max_batch = max_batch
        self._max_wait_s = max_wait_ms / 1000
        self._clock = clock or SystemClock()
        self._items: deque[tuple[float, T]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    @property
    def max_batch(self) -> int:
        """The cap in force: as given, or what ``shrink`` has left of it."""
        return self._max_batch

    def put(self, items: Iterable[T]) -> None:
        """Add items behind those that wait."""
        with self._changed:
            now = self._clock.now()
            self._items.extend((now, item) for item in items)
            self._changed.notify_all()

    def next_batch(self) -> tuple[list[T], float]:
        """Wait for a batch; return it and the longest wait of its items in seconds.

        An empty batch means that the batcher is closed and nothing is left.
        """
        with self._changed:
            while not self._due():
                self._clock.wait(self._changed, self._patience_s())
            return self._take()

    def shrink(self, max_batch: int) -> None:
        """Lower the cap to ``max_batch`` (never below one): the device has less room."""
        with self._changed:
            self._max_batch = max(1, min(self._max_batch, max_batch))

    def close(self) -> None:
        """Let takers have what is left, then nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Forget what is left, and close."""
        with self._changed:
            self._items.clear()
        self.close()

    def _due(self) -> bool:
        if self._closed or len(self._items) >= self._max_batch:
            return True
        return bool(self._items) and self._patience_s() == 0

    def _patience_s(self) -> float | None:
        if not self._items:
            return None
        opened = self._items[0][0]
        return max(0.0, opened + self._max_wait_s - self._clock.now())

    def _take(self) -> tuple[list[T], float]:
        count = min(len(self._items), self._max_batch)
        taken = [self._items.popleft() for _ in range(count)]
        waited = self._clock.now() - taken[0][0] if taken else 0.0
        return [item for _, item in taken], waited
