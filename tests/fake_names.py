"""Names that are looked up without a network, each with the answers that a test gives it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.outgoing import lookups


class FakeNames:
    """Takes the system's place; a name answers its answers in turn, the last one for ever.

    Numbers are read as the C library reads them, every other name does not exist.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers: dict[str, list[Sequence[str]]] = {}
        #: The names that were looked up, in order.
        self.asked: list[str] = []
        monkeypatch.setattr(lookups, "getaddrinfo", self._look_up)

    def add(self, name: str, *answers: Sequence[str]) -> None:
        """Let ``name`` have the addresses of each answer."""
        self._answers[name] = [*answers]

    def _look_up(self, host: str, port: int, family: int = 0, *more: int) -> list[Any]:
        self.asked.append(host)
        answers = self._answers.get(host) or [_read_number(host)]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_as_info(address, port) for address in addresses]


def _read_number(host: str) -> list[str]:
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except (OSError, UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


def _as_info(address: str, port: int) -> tuple[Any, ...]:
    if ipaddress.ip_address(address).version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
