"""Run as a script: forks programs that need not import torch first, so that they start at once.

It reads requests from the socket that is its standard input, and ends with it. Each request
carries the program's words, environment and folder, and two files: its log, and a socket that
tells its process id, and in the end its exit code.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn, cast

#: <sys/prctl.h>
_PR_SET_PDEATHSIG = 1
_REQUEST_SIZE = 1 << 17


def wait_for_birth(requests: socket.socket) -> list[str] | None:
    """Return, in a new process, the words of the program that it is to be; None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, files, _, _ = socket.recv_fds(requests, _REQUEST_SIZE, 2)
        if not text:
            return None
        if os.fork() == 0:
            requests.close()
            return _guard(json.loads(text), *files)
        for file in files:
            os.close(file)


def _guard(request: dict[str, Any], log: int, tell: int) -> list[str]:
    """Become the guardian of a new process, or that process."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        with socket.socket(fileno=tell) as telling:
            telling.send(str(pid).encode())
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            telling.send(str(code).encode())
        os._exit(0)
    os.close(tell)
    _settle(request, log)
    if request["afresh"]:
        os.execv(sys.executable, [sys.executable, "-m", *request["words"]])
    return cast("list[str]", request["words"])


def _settle(request: dict[str, Any], log: int) -> None:
    os.setsid()  # Its group is its own: a Ctrl-C is for it and its children.
    _die_with_parent()
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.close(log)


def _die_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent == 1:
        os._exit(1)


def _import_what_is_slow() -> None:

    import workers.engine.layout
    import workers.submission
    import workers.worker  # noqa: F401

    # What is here stays here: no new process looks through it at its end.
    gc.freeze()


def _live(words: Sequence[str]) -> NoReturn:
    """Be the program, up to the end of its threads and its last words.

    The rest of an interpreter's end shows nothing, and takes a second with torch in it.
    """
    sys.argv[:] = words
    code: object = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _import_what_is_slow()
    given = wait_for_birth(socket.socket(fileno=os.dup(0)))
    if given:
        _live(given)
