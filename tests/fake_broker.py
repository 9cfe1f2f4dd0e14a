"""A broker in memory that forgets, refuses, doubles and reorders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from pipeline.broker import Broker
from pipeline.errors import BrokerError
from pipeline.records import Message, Priority


class Trouble(Enum):
    """What can happen to messages: to the next that are sent, or to all that wait."""

    #: They are gone, as if the sender had died between its commit and this call.
    FORGOTTEN = "forgotten"
    REFUSED = "refused"
    #: They are taken, and the sender hears that they were not.
    UNCERTAIN = "uncertain"
    DOUBLED = "doubled"
    ALL_DOUBLED = "all doubled"
    #: FLUSHALL, or a restart with nothing on the disk.
    ALL_LOST = "all lost"


class FakeBroker(Broker):
    """The messages that wait, the oldest first."""

    def __init__(self) -> None:
        self.address = "redis://fake"
        self.waiting: list[Message] = []
        self._trouble: Trouble | None = None

    def befall(self, trouble: Trouble | None) -> None:
        """Let this happen, once."""
        self._trouble = None
        match trouble:
            case Trouble.ALL_DOUBLED:
                self.waiting *= 2
            case Trouble.ALL_LOST:
                self.waiting.clear()
            case _:
                self._trouble = trouble

    def send(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        trouble, self._trouble = self._trouble, None
        if trouble is Trouble.REFUSED:
            raise BrokerError("refused")
        copies = {Trouble.FORGOTTEN: 0, Trouble.DOUBLED: 2}.get(trouble, 1) if trouble else 1
        self.waiting += map(_carry, copies * list(messages))
        if trouble is Trouble.UNCERTAIN:
            raise BrokerError("taken, and nobody knows it")

    def length(self, priority: Priority) -> int:
        return sum(message.priority == priority for message in self.waiting)


def _carry(message: Message) -> Message:
    fields = json.loads(json.dumps(message.as_fields()))
    return replace(Message.read(tuple(fields)), priority=message.priority)
