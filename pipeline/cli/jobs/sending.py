"""The first messages of a job that goes on."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pipeline.cli.output import say
from pipeline.errors import BrokerError

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Job


def send_on(database: Database, job: Job, broker_url: str | None) -> None:
    """Send a job's next chunks to the workers; a broker that is away is told of in a sentence."""
    from pipeline.broker import Broker
    from pipeline.config import load_settings
    from pipeline.dispatcher import Dispatcher

    settings = load_settings(broker_url=broker_url)
    try:
        with closing(Broker(settings.broker_url)) as broker:
            Dispatcher(database, broker, settings.send_ahead).top_up(job.id)
    except BrokerError as error:
        say(f"{job.handle} is stored, and a worker sends it when the broker is back: {error}")
