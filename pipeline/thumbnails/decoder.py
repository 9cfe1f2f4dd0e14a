"""One drawing process, seen from the server: started when it is needed, replaced when it died."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import NamedTuple

from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.thumbnails.frames import PATIENCE_S, Kind, receive, send

#: What a drawing process is; tests put one in its place that misbehaves.
COMMAND = (sys.executable, "-P", "-m", "pipeline.thumbnails.child")
#: Of our environment it gets these alone: nothing that is secret.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
#: Its own alarm comes first; this is for one that was stopped, or cannot start.
_LONGEST_S = PATIENCE_S + 12.0
#: A picture that ends the process is given to a second one: the first may have been killed.
_TRIES = 2
_MOST_BYTES = 4 * 2**20


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    socket: socket.socket


class Decoder:
    """Draws one picture at a time; only ``end`` may be called by another thread meanwhile."""

    def __init__(self, side: int, max_pixels: int) -> None:
        self._command = (*COMMAND, str(side), str(max_pixels))
        self._child: _Child | None = None
        self._is_over = False

    def draw(self, data: bytes) -> bytes:
        """Return the thumbnail of a picture. Raises PictureError: timeout, decoder_crashed, ..."""
        for _ in range(_TRIES):
            try:
                return self._ask(data)
            except (OSError, EOFError, ValueError) as error:
                code = self.bury()
                if isinstance(error, TimeoutError) or code == -signal.SIGALRM:
                    message = f"decoding it took more than {PATIENCE_S} s"
                    raise PictureError(FailureCode.TIMEOUT, message) from None
        raise PictureError(FailureCode.DECODER_CRASHED, "the picture ended its decoder")

    def end(self) -> None:
        """End the process, whatever it does; no other takes its place."""
        self._is_over = True
        if child := self._child:
            child.process.kill()

    def bury(self) -> int | None:
        """End the process if it lives, free what it held, and return its exit code."""
        child, self._child = self._child, None
        if child is None:
            return None
        child.socket.close()
        child.process.kill()
        return child.process.wait()

    def _ask(self, data: bytes) -> bytes:
        child = self._find_child()
        # Only now: ``end`` sees a process that is there, or this sees that all is over.
        if self._is_over:
            self.bury()
            raise PictureError(FailureCode.TIMEOUT, "the server is about to stop")
        send(child.socket, Kind.PICTURE, data)
        kind, answer = receive(child.socket, _MOST_BYTES)
        if kind is Kind.THUMBNAIL:
            return answer
        code, _, message = answer.decode("utf-8", "replace").partition("\n")
        raise PictureError(FailureCode(code), message)

    def _find_child(self) -> _Child:
        if self._child and self._child.process.poll() is not None:
            self.bury()
        self._child = self._child or self._start()
        return self._child

    def _start(self) -> _Child:
        ours, theirs = socket.socketpair()
        ours.settimeout(_LONGEST_S)
        kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (our own command)
                self._command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # libtiff writes there by itself.
                stderr=subprocess.DEVNULL,
                env=kept | {"OPENBLAS_NUM_THREADS": "1"},
                # A Ctrl-C on the terminal is the server's affair.
                start_new_session=True,
            )
        return _Child(process, ours)
