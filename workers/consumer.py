"""The consumer: Celery's own, which also outlives a connection that cannot even be closed."""

from __future__ import annotations

import logging
import time

from celery.worker.consumer import Consumer as CelerysConsumer

log = logging.getLogger(__name__)

#: The pause before the next try with a broker that answers and takes nothing, in seconds.
_PAUSE_S = 1.0


class Consumer(CelerysConsumer):  # type: ignore[misc]  # Celery has no types.
    """Reads messages for a worker; what goes wrong with a connection ends in a new one."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of a broken connection, before another one is made."""
        try:
            super().on_connection_error_after_connected(exc)
        except Exception as error:
            # kombu closes twice. When the first time breaks off, because the socket that waits for
            # messages is broken too, the second one trips over what is gone already. Left to
            # itself, Celery would end the worker. What it had in hand comes again by itself.
            log.warning("the broken connection could not be closed: %r", error)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Wait a moment for a broker that is full or read-only: Celery would not wait at all."""
        super().on_connection_error_before_connected(exc)
        time.sleep(_PAUSE_S)
