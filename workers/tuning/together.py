"""Together: threads that do the same work and begin at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch

T = TypeVar("T")

#: Waits until every thread has come here.
Meet = Callable[[], object]


class Together:
    """``threads`` threads that live as long as this context: a classifier keeps things for each."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        # Torch's own threads would fight for the cores: neither streams nor loaders have any.
        self._pool = ThreadPoolExecutor(threads, "tuning", torch.set_num_threads, (1,))

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def run(self, work: Callable[[Meet], T]) -> list[T]:
        """Return what each thread found; ``work`` has to call what it is given, once.

        Raises what the first of them to fail raised; the others do not wait for it.
        """
        barrier = threading.Barrier(self._threads)

        def run() -> T:
            try:
                return work(barrier.wait)
            except BaseException:
                barrier.abort()
                raise

        futures = [self._pool.submit(run) for _ in range(self._threads)]
        errors = [error for future in futures if (error := future.exception())]
        # Those that were waiting only heard that somebody would not come.
        errors.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))
        if errors:
            raise errors[0]
        return [future.result() for future in futures]
