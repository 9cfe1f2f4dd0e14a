"""The carrier: one message through the gate, its claim, the engine, and into the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.dispatcher import Dispatcher
from pipeline.errors import DatabaseError, EngineError
from pipeline.pace import Pace
from pipeline.queries.rules import find_rules
from pipeline.records import Claim, JobRules, Message
from pipeline.storage.rows import note_on_job
from workers.absence import Absent, check_folders
from workers.drain import Drain
from workers.engines import Engines
from workers.gate import Gate
from workers.leases import Leases
from workers.processing import Carried, process_chunk
from workers.watch.metrics import ChunkEnd, Metrics, Refusal
from workers.watch.vitals import Problem, Vitals

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How soon a chunk that this worker lacks something for may be claimed again, in seconds.
_ELSEWHERE_S = 30.0
#: How long the thread that met it takes no other message: it must not eat the queue of others.
_PENANCE_S = 10.0
#: How often a database that is away is tried again, with the message in hand, in seconds.
_INSIST_S = 2.0


@dataclass(frozen=True, slots=True)
class Crew:
    """What every message of one worker goes through."""

    name: str
    database: Database
    dispatcher: Dispatcher
    engines: Engines
    leases: Leases
    lease_s: float
    metrics: Metrics
    vitals: Vitals
    drain: Drain
    gate: Gate


class Carrier:
    """Carries messages, each in the thread that calls."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        # A job's rules never change; None (the job is gone) stays so, too.
        self._find_rules = lru_cache(maxsize=256)(self._read_rules)
        self._pace_of = lru_cache(maxsize=256)(lambda _job_id: Pace())

    def carry(self, fields: tuple[object, ...]) -> None:
        """Carry the chunk of a message to its end; when this returns the message is done with.

        Raises EngineError when this worker's device or loader processes are gone for good, and
        DatabaseError when the database stayed away until the drain was over.
        """
        crew = self._crew
        try:
            message = Message.read(fields)
        except ValueError as error:
            log.warning("message not understood, and left to newer workers: %s", error)
            crew.metrics.message_refused(Refusal.UNREADABLE)
            crew.drain.begun.wait(_PENANCE_S)
            return
        absent = self._pass_gate(message)
        if absent is not None:
            crew.drain.begun.wait(_PENANCE_S)

    def _pass_gate(self, message: Message) -> Absent | None:
        crew = self._crew
        with crew.gate.enter(message.solo):
            if crew.drain.begun.is_set():
                # It waited too long at the gate: others shall have it.
                crew.dispatcher.try_to_send_again(message)
                return None
            claim = self._claim(message)
            if claim is None:
                crew.metrics.message_refused(Refusal.TOO_LATE)
                return None
            with crew.metrics.in_flight(len(message.images)):
                return self._carry(claim, message)

    def _claim(self, message: Message) -> Claim | None:
        crew = self._crew
        claim, following = self._insist(
            lambda: ledger.claim(
                crew.database,
                message.job_id,
                message.number,
                message.token,
                crew.name,
                crew.lease_s,
            )
        )
        crew.dispatcher.try_to_send(following)
        return claim

    def _carry(self, claim: Claim, message: Message) -> Absent | None:
        crew = self._crew
        with crew.leases.hold(claim) as lease:
            rules = self._insist(lambda: self._find_rules(claim.job_id))
            if rules is None:
                return None  # The job was deleted, and its chunks with it.
            try:
                check_folders(rules)
                with crew.engines.using(rules) as engine:
                    carried = process_chunk(
                        crew.database, lease, message.images, rules, engine, self._insist
                    )
            except Absent as absent:
                self._lay_down(claim, absent)
                return absent
            except EngineError:
                self._hand_on(claim)
                raise
        self._settle(claim, rules, carried)
        return None

    def _read_rules(self, job_id: int) -> JobRules | None:
        with self._crew.database.reading() as connection:
            return find_rules(connection, job_id)

    def _settle(self, claim: Claim, rules: JobRules, carried: Carried) -> None:
        crew = self._crew
        crew.metrics.chunk_ended(carried.end)
        log.info("chunk %s", carried.end, extra=_about(claim, carried))
        if carried.end is ChunkEnd.FENCED:
            return
        crew.metrics.observe_chunk(carried.outcomes, carried.provenance, carried.store_ms)
        failed = any(outcome.failure for outcome in carried.outcomes)
        if rules.limited and failed:
            self._judge(claim.job_id)
        if carried.end is ChunkEnd.DONE:
            self._insist(lambda: ledger.complete(crew.database, claim.job_id))

    def _judge(self, job_id: int) -> None:
        """Look after a job's failure budget, now and then: its end is judged in any case."""
        pace = self._pace_of(job_id)
        if pace.pause_s == 0:
            with pace.look():
                self._insist(lambda: ledger.enforce_budget(self._crew.database, job_id))

    def _lay_down(self, claim: Claim, absent: Absent) -> None:
        """Leave a chunk to workers that have what it needs, and say so."""
        crew = self._crew
        self._insist(lambda: ledger.give_back(crew.database, claim, _ELSEWHERE_S))
        crew.metrics.chunk_ended(ChunkEnd.GIVEN_BACK)
        crew.vitals.trouble(absent.problem, str(absent), for_s=2 * _ELSEWHERE_S)
        log.warning("chunk given back: %s", absent, extra=_about(claim))
        note = f"worker {crew.name}: {absent}"
        self._insist(
            lambda: crew.database.attempt(lambda c: note_on_job(c, claim.job_id, note)),
        )

    def _hand_on(self, claim: Claim) -> None:
        """Let another worker have a chunk that this one cannot finish."""
        crew = self._crew
        # The engine's refusal may have come before anything gave it back.
        self._insist(lambda: ledger.give_back(crew.database, claim))
        crew.metrics.chunk_ended(ChunkEnd.GIVEN_BACK)
        log.info("chunk given back", extra=_about(claim))
        crew.dispatcher.try_to_top_up(claim.job_id)

    def _insist(self, work: Callable[[], T]) -> T:
        """Return ``work()``, tried until the database is back or the drain is over."""
        crew = self._crew
        while True:
            try:
                with crew.vitals.watching(Problem.DATABASE, DatabaseError):
                    return work()
            except DatabaseError:
                if crew.drain.over.wait(_INSIST_S):
                    raise


def _about(claim: Claim, carried: Carried | None = None) -> dict[str, object]:
    about: dict[str, object] = {
        "job": claim.job_id,
        "chunk": claim.number,
        "attempt": claim.attempt,
    }
    if carried is not None:
        about["images"] = len(carried.outcomes)
        about["failed"] = sum(outcome.failure is not None for outcome in carried.outcomes)
    return about
