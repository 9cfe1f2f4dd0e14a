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
    """What happens to the messages of the next call of ``send``."""

    #: They are gone, as if the sender had died between its commit and this call.
    FORGOTTEN = "forgotten"
    REFUSED = "refused"
    #: They are taken, and the sender hears that they were not.
    UNCERTAIN = "uncertain"
    DOUBLED = "doubled"


class FakeBroker(Broker):
    """The messages that wait, the oldest first; ``trouble`` befalls the next ones, once."""

    def __init__(self) -> None:
        self.address = "redis://fake"
        self.waiting: list[Message] = []
        self.trouble: Trouble | None = None

    def send(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        trouble, self.trouble = self.trouble, None
        if trouble is Trouble.REFUSED:
            raise BrokerError("refused")
        if trouble is not Trouble.FORGOTTEN:
            self.waiting += map(_carry, messages)
        if trouble is Trouble.DOUBLED:
            self.waiting += map(_carry, messages)
        if trouble is Trouble.UNCERTAIN:
            raise BrokerError("taken, and nobody knows it")

    def length(self, priority: Priority) -> int:
        return sum(message.priority == priority for message in self.waiting)


def _carry(message: Message) -> Message:
    fields = json.loads(json.dumps(message.as_fields()))
    return replace(Message.read(tuple(fields)), priority=message.priority)
