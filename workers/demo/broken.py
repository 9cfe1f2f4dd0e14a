"""Broken file: five ways in which a picture on a real disk can be unreadable."""

import io
import struct
import zlib

from PIL import Image

#: Width and height that `huge.png` claims: 900 million pixels, where 179 million are the limit.
HUGE_SIDE_PX = 30_000


def break_picture(picture: Image.Image) -> dict[str, bytes]:
    """Return file name -> content of five broken files, two of them made from `picture`."""
    return {
        "empty.jpg": b"",
        "notes.jpg": b"These are only notes: a text file whose name says that it is a picture.\n",
        "truncated.jpg": _truncate(_encode(picture, "JPEG")),
        "broken.png": _scramble(_encode(picture, "PNG")),
        "huge.png": _declare_huge(),
    }


def _encode(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def _truncate(content: bytes) -> bytes:
    """Return the first half, as a download that broke off leaves it."""
    return content[: len(content) // 2]


def _scramble(content: bytes) -> bytes:
    """Return the file with zeros in the middle of its body; its header stays whole."""
    start, stop = len(content) // 3, len(content) // 2
    return content[:start] + bytes(stop - start) + content[stop:]


def _declare_huge() -> bytes:
    """Return a PNG whose header declares far more pixels than the file could ever hold."""
    header = struct.pack(">IIBBBBB", HUGE_SIDE_PX, HUGE_SIDE_PX, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
