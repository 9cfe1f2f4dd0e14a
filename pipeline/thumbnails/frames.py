"""Frames: how the server and a drawing process talk; each is a kind, a length, and the bytes."""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

#: How long a drawing process may take for one picture, in seconds.
PATIENCE_S = 8

_HEAD = struct.Struct("!cQ")
_PIECE = 2**20


class Kind(Enum):
    """What a frame holds; the bytes of a failure are its code, a line's end, and its message."""

    PICTURE = b"p"
    THUMBNAIL = b"t"
    FAILURE = b"f"


def send(to: socket, kind: Kind, data: bytes) -> None:
    """Send a frame. Raises OSError."""
    to.sendall(_HEAD.pack(kind.value, len(data)))
    to.sendall(data)


def receive(of: socket, most: int) -> tuple[Kind, bytes]:
    """Return the next frame, of at most ``most`` bytes.

    Raises EOFError when the other side is gone, ValueError for what is no frame, OSError.
    """
    kind, length = _HEAD.unpack(_receive_all(of, _HEAD.size))
    if length > most:
        raise ValueError("a frame is longer than any")
    return Kind(kind), _receive_all(of, length)


def _receive_all(of: socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = of.recv(min(length - len(data), _PIECE))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
