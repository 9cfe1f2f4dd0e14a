"""The allocator: memory of one batch is kept for the next."""

from __future__ import annotations

import ctypes

# <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


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
