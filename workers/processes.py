"""Loader processes: how they are started, and how none is left when its parent is gone."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

#: Loaded once by the fork server, so that a new loader process starts within milliseconds.
_PRELOAD = ["workers.nursery", "workers.loader"]

#: <sys/prctl.h>
_PR_SET_PDEATHSIG = 1

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
        """Start one of its processes; after ``kill`` it ends at once, as none escapes that.

        It is not refused: DataLoader's own clean-up trips over a process that never started.
        """
        with _starting, _hidden_main(), _interrupts_held_back():
            started = ForkServerProcess._Popen(process)
        self.pids.append(started.pid)
        if self._killed:
            _kill(started.pid)
        return started

    def kill(self) -> None:
        """End every process at once, whatever it does; one that is just starting ends itself."""
        self._killed = True
        for pid in tuple(self.pids):
            _kill(pid)


class _Process(ForkServerProcess):
    context: LoaderContext

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 (multiprocessing's name)
        context = process_obj.__dict__.pop("context")  # It is of no use in the new process.
        return context.start(process_obj)


def warm_up() -> None:
    """Start the fork server, which imports torch while the caller still does other things."""
    with _starting, _hidden_main(), _interrupts_held_back():
        forkserver.set_forkserver_preload(_PRELOAD)
        forkserver.ensure_running()


def is_alive(pid: int) -> bool:
    """Tell whether a loader process lives; the fork server reaps the dead, so none is a zombie."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False  # PermissionError: somebody else's process has the number by now.
    return True


def settle_in(memory: int) -> None:
    """Make this process a good loader process; called first in each of them.

    It gets no more than ``memory`` bytes: a decoder that wants more fails, and nothing else does.

    A session of its own: a Ctrl-C on the terminal is the parent's affair, which drains first.
    It leaves with its parent, also when that was killed (the fork server would keep it), and with
    the fork server, should a decoder hold the interpreter for ever. When memory runs out, it goes,
    and not its parent.
    """
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    _let_go_of_the_fork_server()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _let_go_of_the_fork_server() -> None:
    # It leaves when nobody holds this file any more; with each loader process holding one, the
    # fork server and a hung loader process would keep each other alive.
    held = forkserver._forkserver.__dict__.pop("_forkserver_alive_fd", None)
    if held is not None:
        os.close(held)


def _leave_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(0)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Keep a Ctrl-C from what is started inside: it would die with a traceback in mid-import."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
