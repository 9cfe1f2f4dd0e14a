"""Metrics of the server: its requests and listeners, and the jobs by status."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pipeline.records import JobStatus
from pipeline.tables import jobs

if TYPE_CHECKING:
    from pipeline.database.database import Database

#: The form of ``Metrics.text``: every Prometheus reads it.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "imagemill_web"


class Metrics:
    """The metrics of one server; every method may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._registry = CollectorRegistry()
        gauge = partial(Gauge, namespace=_PREFIX, registry=self._registry)
        counter = partial(Counter, namespace=_PREFIX, registry=self._registry)
        histogram = partial(Histogram, namespace=_PREFIX, registry=self._registry)
        self._requests = counter(
            "requests_total", "Requests that were answered.", ("route", "status")
        )
        self._seconds = histogram(
            "request_seconds", "Time until the whole answer was sent.", ("route",)
        )
        self._listeners = gauge("listeners", "Clients that watch a job.")
        self._jobs = gauge("jobs", "Jobs that are stored.", ("status",))

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; ``route`` is a pattern, never an address."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, listeners: int) -> bytes:
        """Return every metric in Prometheus' text form. Raises DatabaseError."""
        self._listeners.set(listeners)
        counted = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
        with self._database.reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(counted)}
        for status in JobStatus:
            self._jobs.labels(status).set(found.get(status, 0))
        return generate_latest(self._registry)
