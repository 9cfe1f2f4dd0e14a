"""Hosts: how many downloads each may have at once, and which are left alone for a while."""

from __future__ import annotations

import time
from asyncio import Semaphore
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.records import Failure

#: So many times in a row no answer: the host is left alone for so many seconds.
_FAULTS, _REST_S = 5, 30.0
#: How soon another image of such a host is worth a try while one is under way, in seconds.
_TRIAL_S = 10.0
#: What a host may ask for at most (``Retry-After``), in seconds.
_LONGEST_REST_S = 3600.0
#: Hosts that are remembered.
_HOSTS = 10_000
_NO_ANSWER = frozenset((FailureCode.TIMEOUT, FailureCode.CONNECT_ERROR, FailureCode.DNS_ERROR))


class Host:
    """One host: its turns, and its rest. Belongs to one event loop."""

    def __init__(self, turns: int, clock: Callable[[], float]) -> None:
        self._turns = Semaphore(turns)
        self._clock = clock
        self._faults = 0
        self._rests_until = 0.0
        self._why: Failure | None = None
        self._tried = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and learn from what becomes of it.

        Raises the PictureError that the host rests for, if it does.
        """
        async with self._turns:
            # Only now: whoever stood in line learns what those before it found out.
            self._check_rest()
            is_trial = self._tried = self._is_suspect()
            try:
                yield
            except PictureError as error:
                self._hear(error.failure)
                raise
            else:
                self._faults = 0
            finally:
                self._tried = self._tried and not is_trial

    def is_idle(self) -> bool:
        """Tell whether it can be forgotten."""
        return not self._turns.locked() and self._faults == 0 and not self._rest_s()

    def _rest_s(self) -> float:
        return max(0.0, self._rests_until - self._clock())

    def _is_suspect(self) -> bool:
        return self._faults >= _FAULTS

    def _check_rest(self) -> None:
        # After a rest one goes ahead, and the others wait for what it finds out.
        rest_s = self._rest_s() or (_TRIAL_S if self._is_suspect() and self._tried else 0.0)
        if self._why and rest_s:
            failure = replace(self._why, retry_after_s=rest_s)
            raise PictureError(failure.code, failure.message, failure.retry_after_s)

    def _hear(self, failure: Failure) -> None:
        if failure.retry_after_s:
            self._rest(failure, min(failure.retry_after_s, _LONGEST_REST_S))
        elif failure.code not in _NO_ANSWER:
            self._faults = 0
        else:
            self._faults += 1
            if self._faults >= _FAULTS:
                said = f"{failure.message}; the host is left alone for a while"
                self._rest(replace(failure, message=said), _REST_S)

    def _rest(self, why: Failure, rest_s: float) -> None:
        self._why = why
        self._rests_until = max(self._rests_until, self._clock() + rest_s)


class Hosts:
    """All hosts of one process, those that were used last."""

    def __init__(self, turns: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._turns = turns
        self._clock = clock
        self._hosts: OrderedDict[tuple[str, int], Host] = OrderedDict()

    def find(self, name: str, port: int) -> Host:
        """Return the host of that name, whatever the scheme is."""
        host = self._hosts.get((name, port))
        if host is None:
            host = self._hosts[name, port] = Host(self._turns, self._clock)
            self._forget()
        self._hosts.move_to_end((name, port))
        return host

    def _forget(self) -> None:
        if len(self._hosts) > _HOSTS:
            oldest = next(iter(self._hosts))
            if self._hosts[oldest].is_idle():
                del self._hosts[oldest]
