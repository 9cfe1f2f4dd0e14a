"""What the engine asks of its process: memory kept for the next batch, and open files."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress

# <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: each loader process needs a few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_memory() -> None:
    """Tell glibc to keep freed memory, instead of giving it back and zeroing it anew each batch.

    One arena, since the others are limited to 64 MiB and fall back to mmap above that. Elsewhere
    than on glibc nothing happens. Gain: float32 forward 22 -> 84 images/s (design, machine A).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    mallopt(_M_TOP_PAD, 64 << 20)
    mallopt(_M_ARENA_MAX, 1)
