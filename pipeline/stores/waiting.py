"""Calls into fsspec's own loop, from any thread, that end in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

#: Waited beyond the deadline for a loop that is held up.
_GRACE_S = 5.0

T = TypeVar("T")


def wait_in_loop(filesystem: Any, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Return what ``work`` returns in the filesystem's loop; it is cancelled when time is up.

    Raises TimeoutError, and what the work raises.
    """
    limited = asyncio.wait_for(work, timeout_s)
    future = asyncio.run_coroutine_threadsafe(limited, filesystem.loop)
    try:
        return future.result(timeout_s + _GRACE_S)
    finally:
        future.cancel()
