"""Run as a script: a drawing process that does odd things for data that begins like an order.

It ends what takes more than a second.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

from pipeline.thumbnails import child, drawing, frames

_DRAW = drawing.draw


def draw(data: bytes, side: int, max_pixels: int) -> bytes:
    """Do as ordered, or draw."""
    order, _, word = data.partition(b" ")
    if order in _ORDERS:
        return _ORDERS[order](word)
    return _DRAW(data, side, max_pixels)


def _hang(mark: bytes) -> bytes:
    """Leave a mark, and never let go of the interpreter."""
    if mark:
        Path(mark.decode()).mkdir()
    ctypes.PyDLL(None).sleep(3600)
    return b""


def _signal(number: bytes) -> bytes:
    os.kill(os.getpid(), int(number))
    return b""


def _leave_once(mark: bytes) -> bytes:
    """Leave if there is still a mark, which is then gone."""
    try:
        Path(mark.decode()).rmdir()
    except FileNotFoundError:
        return b"drawn at the second try"
    os._exit(1)


def _eat(_: bytes) -> bytes:
    return bytes(2**40)


def _say(_: bytes) -> bytes:
    return "\n".join(os.environ).encode()


def _write(path: bytes) -> bytes:
    Path(path.decode()).write_bytes(b"x")
    return b"written"


def _lie(_: bytes) -> bytes:
    """Send what is no frame."""
    os.write(0, b"?" * 9)
    return b""


_ORDERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"HANG": _hang,
    b"KILL": lambda _: _signal(b"%d" % signal.SIGKILL),
    b"STOP": lambda _: _signal(b"%d" % signal.SIGSTOP),
    b"LEAVE": _leave_once,
    b"EAT": _eat,
    b"SAY": _say,
    b"WRITE": _write,
    b"LIE": _lie,
}

if __name__ == "__main__":
    drawing.draw = draw
    frames.PATIENCE_S = 1
    child.main()
