"""The context: what every request needs, made once for each application."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Annotated

from anyio import CapacityLimiter
from fastapi import Depends
from starlette.requests import HTTPConnection

from pipeline.fetch.limits import limits_of
from pipeline.thumbnails.thumbnails import Thumbnails
from pipeline.web.comparisons import Comparisons
from pipeline.web.metrics import Metrics
from pipeline.web.pacing import Buckets
from pipeline.web.readiness import Readiness
from pipeline.web.roots import allowed_roots
from pipeline.web.watching import Watches

if TYPE_CHECKING:
    from pipeline.broker import Broker
    from pipeline.config import Settings
    from pipeline.database.database import Database

#: Thumbnails that are waited for at the same time.
_THUMBNAILS = 32


@dataclass(frozen=True)
class Context:
    """What a request finds: ``loopback`` says that nobody but this machine can ask."""

    database: Database
    settings: Settings
    loopback: bool
    watches: Watches
    buckets: Buckets
    metrics: Metrics
    #: For jobs of the command line, and for those that came over HTTP.
    thumbnails: Thumbnails
    own_thumbnails: Thumbnails
    #: Of those who wait for thumbnails: a host that does not answer holds up nobody else.
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_THUMBNAILS))
    readiness: Readiness = field(default_factory=Readiness)
    comparisons: Comparisons = field(default_factory=Comparisons)
    _brokers: list[Broker] = field(default_factory=list)
    _door: Lock = field(default_factory=Lock)

    def broker(self) -> Broker:
        """Return the broker, made at first use; BrokerError for an address that is none."""
        from pipeline.broker import Broker

        with self._door:
            if not self._brokers:
                self._brokers.append(Broker(self.settings.broker_url))
            return self._brokers[0]

    def close(self) -> None:
        """Give back everything but the database."""
        self.watches.close()
        self.thumbnails.close()
        self.own_thumbnails.close()
        for broker in self._brokers:
            broker.close()


def make_context(settings: Settings, database: Database, *, loopback: bool) -> Context:
    """Return the context of an application; UsageError for an outgoing policy that is none."""
    # With roots of its own the server reads nothing else for anybody.
    roots = allowed_roots(settings)
    own = _make_thumbnails(settings.model_copy(update={"roots": roots}))
    return Context(
        database=database,
        settings=settings,
        loopback=loopback,
        watches=Watches(database),
        buckets=Buckets(settings.requests_per_s),
        metrics=Metrics(database),
        thumbnails=own if settings.roots else _make_thumbnails(settings),
        own_thumbnails=own,
    )


def context_of(request: HTTPConnection) -> Context:
    """Return the context of the application that a request came to."""
    context: Context = request.app.state.context
    return context


#: What a route takes to have the context.
Here = Annotated[Context, Depends(context_of)]


def _make_thumbnails(settings: Settings) -> Thumbnails:
    return Thumbnails(
        settings.thumbnails, settings.thumbnails_bytes, limits_of(settings), settings.max_pixels
    )
