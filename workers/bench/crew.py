"""The crew: one process for each core, and all of them at the same work at the same time.

So the cores are as busy as in the whole pipeline: two of them may be threads of one real core,
and all share caches and memory. One process alone would be faster than it ever is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pipeline.errors import EngineError
from workers.processes import LoaderContext, settle_in

R = TypeVar("R")


class Crew:
    """``processes`` processes that are what loader processes are, but do what they are told."""

    def __init__(self, processes: int, memory: int) -> None:
        self._context = LoaderContext()
        self._pipes = [self._hire(memory) for _ in range(processes)]

    def run(self, work: Callable[[Sequence[str]], R], uris: Sequence[str]) -> list[R]:
        """Return what each process made of its share of the images (``work`` is pickled).

        Raises what it raised there, and EngineError when a process died of it.
        """
        for number, pipe in enumerate(self._pipes):
            pipe.send((work, uris[number :: len(self._pipes)]))
        return [self._hear(pipe) for pipe in self._pipes]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        self._context.kill()

    def _hire(self, memory: int) -> Connection:
        ours, theirs = self._context.Pipe()
        self._context.Process(target=_serve, args=(theirs, memory), daemon=True).start()
        theirs.close()
        return ours

    def _hear(self, pipe: Connection) -> Any:
        try:
            found = pipe.recv()
        except (EOFError, OSError):
            raise EngineError(
                "a process that decodes died, of a picture or of too little memory; "
                "`imagemill run` on the same folder names the picture"
            ) from None
        if isinstance(found, Exception):
            raise found
        return found


def _serve(pipe: Connection, memory: int) -> None:
    settle_in(memory)
    import torch

    torch.set_num_threads(1)  # As DataLoader does in each of its processes.
    while True:
        try:
            work, uris = pipe.recv()
        except EOFError:
            return
        try:
            found = work(uris)
        except Exception as error:
            found = error
        pipe.send(found)
