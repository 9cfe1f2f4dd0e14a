"""Loader processes: how they are started, and how none is left when its parent is gone."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

#: Loaded once by the fork server, so that a new loader process starts within milliseconds.
_PRELOAD = ["workers.loader"]

_starting = threading.Lock()


class _Process(ForkServerProcess):
    """A process that does not import its parent's main module again.

    It needs nothing of it, and a user's script without ``if __name__ == "__main__"`` would run
    once more in each loader process.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 (multiprocessing's name)
        with _hidden_main():
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


def loader_context() -> ForkServerContext:
    """Return the context that loader processes and their queues are made with.

    Forkserver: a fork of this process would inherit its threads' locks and its CUDA state.
    """
    context = _Context()
    context.set_forkserver_preload(_PRELOAD)
    return context


def settle_in() -> None:
    """Make this process a good loader process; called first in each of them.

    A session of its own: a Ctrl-C on the terminal is the parent's affair, which drains first.
    It leaves with its parent, also when that was killed (the fork server would keep it).
    """
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(0)


@contextmanager
def _hidden_main() -> Iterator[None]:
    main = sys.modules["__main__"]
    with _starting:
        kept = {name: main.__dict__.pop(name, None) for name in ("__file__", "__spec__")}
        main.__spec__ = None
        try:
            yield
        finally:
            main.__dict__.update(
                {k: v for k, v in kept.items() if v is not None or k == "__spec__"}
            )
