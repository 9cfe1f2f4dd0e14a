"""Leases: one thread renews those of every chunk in hand, and finds out which are lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.errors import DatabaseError
from pipeline.records import Claim

log = logging.getLogger(__name__)

#: A chunk that was cancelled, retried or deleted is noticed so soon, in seconds.
_LOOK_S = 2.0


class Lease:
    """A claim in hand; ``lost`` once it was found to be somebody else's, or nobody's."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.lost = False
        self._work: Future[Any] | None = None

    def bind(self, work: Future[Any]) -> None:
        """Let ``work`` be cancelled when the lease is lost: nobody could store it."""
        self._work = work
        if self.lost:
            work.cancel()

    @property
    def is_answered(self) -> bool:
        """Whether its work is over, and its outcomes are being stored."""
        return self._work is not None and self._work.done()

    def lose(self) -> None:
        """Take note that the claim is lost."""
        self.lost = True
        if self._work:
            self._work.cancel()


class Leases:
    """The leases that one process holds; ``on_lost`` hears how many were found to be lost."""

    def __init__(
        self, database: Database, lease_s: float, on_lost: Callable[[int], None] = lambda _: None
    ) -> None:
        self._database = database
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._held: set[Lease] = set()
        self._door = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def close(self) -> None:
        """Renew no more."""
        self._stop.set()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Lease]:
        """Keep the claim's lease alive meanwhile."""
        lease = Lease(claim)
        with self._door:
            self._held.add(lease)
        try:
            yield lease
        finally:
            with self._door:
                self._held.discard(lease)

    def _run(self) -> None:
        look_s = min(_LOOK_S, self._lease_s / 6)
        looks = max(1, round(self._lease_s / 3 / look_s))
        while not self._stop.is_set():
            for turn in range(looks):
                if self._stop.wait(look_s):
                    return
                self._try(renew=turn == looks - 1)

    def _try(self, renew: bool) -> None:
        try:
            self._look(renew)
        except DatabaseError as error:
            # The next round may get through; if none does, the fence keeps the books right.
            log.warning("leases could not be looked after: %s", error)

    def _look(self, renew: bool) -> None:
        with self._door:
            leases = [lease for lease in self._held if not lease.lost]
        claims = [lease.claim for lease in leases]
        if renew:
            ledger.renew(self._database, claims, self._lease_s)
        held = ledger.list_held(self._database, claims)
        # What is being stored may be finished by now: it holds no more, and is no loss.
        lost = [one for one in leases if one.claim not in held and not one.is_answered]
        for lease in lost:
            lease.lose()
        if lost:
            self._on_lost(len(lost))
