"""Downloads: many images that are far away, at the same time, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pipeline.archives import is_member, read_member
from pipeline.failures import PictureError
from pipeline.fetch.kinds import is_web
from pipeline.fetch.web import Web
from pipeline.records import Failure, FailureCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.fetch.limits import Fetched, FetchLimits

Key = TypeVar("Key")

#: Objects of a store at the same time: each holds a thread.
_STORE_THREADS = 32


@dataclass(frozen=True, slots=True)
class Got:
    """What a download gave, and how long it took, in ms, without the wait for its turn."""

    result: Fetched | Failure
    read_ms: float


class Downloads(Generic[Key]):
    """Starts at once; ``on_done(key, got)`` is called in its thread, once for each ``start``.

    At most ``limit`` are under way at the same time. Nothing is ever raised.
    """

    def __init__(self, limits: FetchLimits, on_done: Callable[[Key, Got], None]) -> None:
        self.limit = limits.downloads
        self._limits = limits
        self._on_done = on_done
        self._threads = ThreadPoolExecutor(_STORE_THREADS, "store")
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._web: Web | None = None
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="downloads", daemon=True
        )
        self._thread.start()

    def start(self, key: Key, uri: str) -> None:
        """Begin a download, or let it wait for its turn; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._begin, key, uri)

    def close(self) -> None:
        """Break off what is under way, of which nobody hears any more, and close connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _end(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._web is not None:
            await self._web.close()

    def _begin(self, key: Key, uri: str) -> None:
        task = self._loop.create_task(self._carry(key, uri))
        # The loop itself holds a task only weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, key: Key, uri: str) -> None:
        started = time.perf_counter()
        try:
            result = await self._fetch(uri)
        except PictureError as error:
            result = error.failure
        except MemoryError:
            result = Failure(FailureCode.TOO_LARGE, "there is not enough memory for its bytes")
        except Exception as error:
            # A bug, or a server that finds a hole in the client: about this one image in any case.
            message = f"the download broke off ({type(error).__name__})"
            result = Failure(FailureCode.CONNECT_ERROR, message)
        self._on_done(key, Got(result, (time.perf_counter() - started) * 1000))

    async def _fetch(self, uri: str) -> Fetched | Failure:
        if is_web(uri):
            # Made here, since it belongs to the loop.
            self._web = self._web or Web(self._limits)
            return await self._web.download(uri)
        # Only here: who downloads from the web needs no object store's library.
        from pipeline.stores import read_object

        read = read_member if is_member(uri) else read_object
        return await self._loop.run_in_executor(self._threads, read, uri, self._limits)
