"""How a command ends: its exit code, and one sentence on standard error instead of a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn, cast

import typer

from pipeline.cli.output import say
from pipeline.errors import ImagemillError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The job failed, or an image did under ``--strict``; a check was not passed; a bug of ours.
FAILED = 1
#: Wrong usage, or a service or file that must be put right first.
WRONG_USE = 2
#: Ctrl-C.
INTERRUPTED = 130
#: SIGTERM.
TERMINATED = 143

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What typer raises for a line that it cannot read; it exports only this subclass of it.
_UnreadableLine = cast("type[Exception]", typer.BadParameter.__mro__[1])


class Stop:
    """What was heard of Ctrl-C and SIGTERM; both raise KeyboardInterrupt in the main thread.

    It is remembered, too: foreign code may answer a KeyboardInterrupt with an error of its own.
    """

    def __init__(self) -> None:
        self.code: int | None = None

    def listen(self) -> None:
        """Hear the signals from now on; only the main thread may call this."""
        self.code = None
        signal.signal(signal.SIGTERM, self._hear)
        # A shell that starts us in the background has Ctrl-C ignored, and means it.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._hear)

    def _hear(self, number: int, _: object) -> NoReturn:
        self.code = TERMINATED if number == signal.SIGTERM else INTERRUPTED
        raise KeyboardInterrupt


#: Signals are the process's, so there is one of these.
stop = Stop()


def leave(code: int) -> NoReturn:
    """End the running command with an exit code."""
    raise typer.Exit(code)


def run_to_exit_code(command: Callable[[], object]) -> int:
    """Run a whole command line and return its exit code; every exception becomes a sentence."""
    stop.listen()
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        return hush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        code = say_stopped() if stop.code else _explain(error)
    return stop.code or int(cast("int", code or 0))


def say_stopped() -> int:
    """Say that the command was stopped, where there is no more to say; return the exit code."""
    say("imagemill: stopped")
    return INTERRUPTED


def hush() -> int:
    """Return 0 after the reader of our output has left (``| head``): nothing of ours failed."""
    # Python flushes standard output once more at exit, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _explain(error: Exception) -> int:
    """Say what went wrong; return the exit code."""
    if os.environ.get("IMAGEMILL_DEBUG") == "1":
        traceback.print_exception(error)
    if isinstance(error, _UnreadableLine):
        say(f"imagemill: {_usage_sentence(error)}")
        return WRONG_USE
    if isinstance(error, ImagemillError):
        say(f"imagemill: {error}")
        return WRONG_USE
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        hush()
        say(f"imagemill: {error.strerror}; make room, and run the command again")
        return FAILED
    say(
        f"imagemill: this is a bug in imagemill, please report it: {type(error).__name__}: {error}"
        " (IMAGEMILL_DEBUG=1 shows the traceback)"
    )
    return FAILED


def _usage_sentence(error: Exception) -> str:
    """Return typer's own complaint in one line, and which help to ask."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "imagemill"
    complaint = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
    complaint = complaint.replace("Value error, ", "")
    return f"{complaint.rstrip('.')}; `{path} --help` shows what it takes"
