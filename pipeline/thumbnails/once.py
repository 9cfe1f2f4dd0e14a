"""Once: what several threads ask for at the same time is made by one of them."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Once:
    """Work under way, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[bytes]] = {}

    def do(self, key: str, work: Callable[[], bytes]) -> bytes:
        """Return what ``work`` returns in the thread that came first; raises what it raises."""
        with self._lock:
            future = self._under_way.get(key)
            if is_first := future is None:
                future = self._under_way[key] = Future()
        if is_first:
            self._work(key, work, future)
        return future.result()

    def _work(self, key: str, work: Callable[[], bytes], future: Future[bytes]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        finally:
            with self._lock:
                del self._under_way[key]
