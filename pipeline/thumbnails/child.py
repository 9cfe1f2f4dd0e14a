"""The drawing process: ``python -m pipeline.thumbnails.child SIDE MAX_PIXELS``, fed by its stdin.

It holds no secrets, may be killed at any time, and goes when its parent does: it reads the end of
its socket, or, should a decoder hang meanwhile, the system's alarm ends it.
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from pipeline.failures import PictureError
from pipeline.records import Failure, FailureCode
from pipeline.thumbnails import drawing, frames
from pipeline.thumbnails.frames import Kind

#: The parent sends no more than it may read.
_MOST_BYTES = 2**40
#: Memory for each of a picture's pixels (decoded, turned, converted), and for all the rest.
_PIXEL_BYTES, _OTHER_BYTES = 12, 2**29


def main() -> None:
    """Draw what comes in until nobody sends any more."""
    side, max_pixels = (int(word) for word in sys.argv[1:3])
    _settle_in(max_pixels)
    with socket.socket(fileno=0) as parent, suppress(EOFError, OSError):
        while True:
            data = frames.receive(parent, _MOST_BYTES)[1]
            # By the system, not by Python: a decoder may never let go of the interpreter.
            signal.alarm(frames.PATIENCE_S)
            kind, answer = _answer(data, side, max_pixels)
            signal.alarm(0)
            frames.send(parent, kind, answer)


def _answer(data: bytes, side: int, max_pixels: int) -> tuple[Kind, bytes]:
    try:
        return Kind.THUMBNAIL, drawing.draw(data, side, max_pixels)
    except PictureError as error:
        failure = error.failure
    except MemoryError:
        message = "drawing it needs more memory than there is"
        failure = Failure(FailureCode.DECODER_CRASHED, message)
    except Exception as error:  # a decoder may raise anything on a hostile file
        message = f"the decoder gave up ({type(error).__name__})"
        failure = Failure(FailureCode.DECODE_ERROR, message)
    return Kind.FAILURE, f"{failure.code}\n{failure.message}".encode()


def _settle_in(max_pixels: int) -> None:
    """Take little, write nothing; when memory runs out, go first."""
    memory = _OTHER_BYTES + _PIXEL_BYTES * max_pixels
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


if __name__ == "__main__":
    main()
