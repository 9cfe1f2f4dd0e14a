"""Patience with a database that is busy, restarting or out of reach for a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from pipeline.database import faults

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Pauses between tries in seconds; the last one repeats until the patience is spent.
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: How long to keep trying, in seconds.
PATIENCE_S = 60.0


def patiently(call: Callable[[], T]) -> T:
    """Return ``call()``, called again after each fault that may pass, for about a minute.

    Raises the last error when the patience is spent, and any other error at once.
    """
    started, tries = time.monotonic(), 0
    while True:
        try:
            return call()
        except Exception as error:
            pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
            spent = time.monotonic() - started + pause > PATIENCE_S
            if spent or not faults.is_transient(error):
                raise
        tries += 1
        time.sleep(pause)
