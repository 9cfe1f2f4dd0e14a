"""The dispatcher: what the ledger marks as sent goes to the broker, or is marked as unsent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipeline import ledger
from pipeline.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.broker import Broker
    from pipeline.database.database import Database
    from pipeline.records import Message

log = logging.getLogger(__name__)


class Dispatcher:
    """Keeps ``send_ahead`` messages of a job waiting in the broker; may be used by any thread."""

    def __init__(self, database: Database, broker: Broker, send_ahead: int) -> None:
        self._database = database
        self._broker = broker
        self._send_ahead = send_ahead

    def top_up(self, job_id: int) -> int:
        """Send the job's next chunks until enough wait; return how many were sent.

        Raises BrokerError, with the chunks unmarked: the sweeper sends them later.
        """
        messages = ledger.mark_ahead(self._database, job_id, self._send_ahead)
        self.send(messages)
        return len(messages)

    def send(self, messages: Sequence[Message]) -> None:
        """Send chunks that the ledger has marked. Raises BrokerError, with them unmarked."""
        try:
            self._broker.send(messages)
        except BrokerError:
            ledger.unmark(self._database, messages)
            raise

    def try_to_send(self, messages: Sequence[Message]) -> None:
        """Send chunks that the ledger has marked, or leave them to the sweeper."""
        try:
            self.send(messages)
        except BrokerError as error:
            log.warning("left to the sweeper: %s", error)

    def try_to_send_again(self, message: Message) -> None:
        """Send a chunk whose message was taken for nothing, or leave it to the sweeper."""
        ledger.unmark(self._database, [message])
        self.try_to_top_up(message.job_id)

    def try_to_top_up(self, job_id: int) -> None:
        """Send the job's next chunks, or leave them to the sweeper."""
        try:
            self.top_up(job_id)
        except BrokerError as error:
            log.warning("left to the sweeper: %s", error, extra={"job": job_id})
