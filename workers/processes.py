"""Loader processes: how they are started, and how none is left when its parent is gone."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

#: Loaded once by the fork server, so that a new loader process starts within milliseconds.
_PRELOAD = ["workers.loader"]

#: One process starts at a time in this program: starting hides its main module for a moment.
_starting = threading.Lock()


class LoaderContext(ForkServerContext):
    """Starts the loader processes of one DataLoader, and ends them all on demand.

    Forkserver: a fork of this process would inherit its threads' locks and its CUDA state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.set_forkserver_preload(_PRELOAD)
        self.pids: list[int] = []
        self._killed = False

    def Process(self, *arguments: Any, **options: Any) -> BaseProcess:  # type: ignore[override]  # noqa: N802
        """Make a process that belongs to this context; DataLoader calls it."""
        process = _Process(*arguments, **options)
        process.context = self
        return process

    def start(self, process: BaseProcess) -> Any:
        """Start one of its processes. Raises RuntimeError after ``kill``: none escapes it."""
        with _starting, _hidden_main():
            if self._killed:
                raise RuntimeError("these loader processes were given up")
            started = ForkServerProcess._Popen(process)
            self.pids.append(started.pid)
            return started

    def kill(self) -> None:
        """End every process at once, whatever it does."""
        with _starting:
            self._killed = True
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class _Process(ForkServerProcess):
    context: LoaderContext

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 (multiprocessing's name)
        context = process_obj.__dict__.pop("context")  # It is of no use in the new process.
        return context.start(process_obj)


def is_alive(pid: int) -> bool:
    """Tell whether a loader process lives; the fork server reaps the dead, so none is a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def settle_in() -> None:
    """Make this process a good loader process; called first in each of them.

    A session of its own: a Ctrl-C on the terminal is the parent's affair, which drains first.
    It leaves with its parent, also when that was killed (the fork server would keep it). It has no
    standard error: libtiff writes there by itself, in the middle of the parent's progress bar.
    """
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(0)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep new processes from importing the main module again.

    They need nothing of it, and a user's script without ``if __name__ == "__main__"`` would run
    once more in each of them.
    """
    main: dict[str, Any] = sys.modules["__main__"].__dict__
    hidden: dict[str, Any] = {n: main.pop(n) for n in ("__file__", "__spec__") if n in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        del main["__spec__"]
        main.update(hidden)
