"""A toy cluster in one thread: a producer, a broker, two worker processes, a sweeper in each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa
from fake_broker import FakeBroker
from shaky_database import Commit, ShakyDatabase
from toy_job import ToyJob

from pipeline import ledger, tables
from pipeline.config import Settings
from pipeline.dispatcher import Dispatcher
from pipeline.errors import BrokerError
from pipeline.records import Claim, Message, Provenance
from workers.sweeper import Sweeper
from workers.watch.metrics import Metrics
from workers.watch.vitals import Vitals

LEASE_S, RESEND_S, SWEEP_S, VISIBLE_S = 120.0, 300.0, 30.0, 300.0
PROCESSES, THREADS = 2, 4
_MOMENTS = ("lease_until", "sent_at", "not_before")


@dataclass
class Carrying:
    """One thread of a worker process, and what it has in hand."""

    process: int
    at: str = "idle"
    frozen: bool = False
    message: Message | None = None
    claim: Claim | None = None
    results: dict[int, str] = field(default_factory=dict)

    @property
    def inside(self) -> bool:
        """Whether it passed the gate of its process."""
        return self.at in ("work", "finish")

    @property
    def alone(self) -> bool:
        """Whether nobody else may be inside."""
        return self.inside and self.message is not None and self.message.solo

    def drop(self) -> None:
        """Let go of everything: the chunk is finished, or the process is dead."""
        self.at, self.message, self.claim = "idle", None, None


class ToyCluster:
    """Everybody who works on one job; each step is one transaction of somebody, or none."""

    def __init__(self, database: ShakyDatabase, job: ToyJob, send_ahead: int) -> None:
        self.database = database
        self.job = job
        self.send_ahead = send_ahead
        self.broker = FakeBroker()
        self.dispatcher = Dispatcher(database, self.broker, send_ahead)
        self.threads = [Carrying(n * PROCESSES // THREADS) for n in range(THREADS)]
        settings = Settings(
            lease_s=LEASE_S, resend_s=RESEND_S, sweep_s=SWEEP_S, send_ahead=send_ahead
        )
        self.sweepers = [
            Sweeper(f"worker {n}", database, self.broker, settings, Metrics(), Vitals())
            for n in range(PROCESSES)
        ]

    # ------------------------------------------------------------ a worker's thread
    def list_ready(self) -> list[Carrying]:
        """Return the threads that have something to do now."""
        return [one for one in self.threads if not one.frozen and self._can_go_on(one)]

    def list_chaos_targets(self) -> list[Carrying]:
        """Return the threads with a chunk in hand; chaos in solo runs could condemn anybody."""
        return [one for one in self.threads if one.inside and not self.is_alone(one.process)]

    def step(self, thread: Carrying, index: int = 0) -> None:
        """Let a thread do what comes next; idle, it takes the message of that place."""
        match thread.at:
            case "idle":
                waiting = self.broker.waiting
                thread.at, thread.message = "gate", waiting.pop(index % len(waiting))
            case "gate":
                self.claim(thread)
            case "work":
                self.work(thread)
            case "finish":
                self.finish(thread)
            case "complete":
                ledger.complete(self.database, self.job.id)
                thread.drop()

    def _can_go_on(self, thread: Carrying) -> bool:
        if thread.at == "idle":
            return bool(self.broker.waiting)
        if thread.at != "gate" or thread.message is None:
            return True
        inside = [one for one in self.threads if one.process == thread.process and one.inside]
        return not (inside if thread.message.solo else any(one.alone for one in inside))

    def claim(self, thread: Carrying) -> None:
        """Claim the chunk of the message."""
        message = thread.message
        assert message is not None
        in_time = self.job.is_claimable(self.database, message)
        key = (message.job_id, message.number, message.token)
        claim, following = ledger.claim(self.database, *key, "a worker", LEASE_S)
        assert (claim is not None) == in_time
        self.dispatcher.try_to_send(following)
        if claim is None:
            thread.drop()
            return
        thread.at, thread.claim = "work", claim
        sent = [image.index for image in message.images]
        assert sent == self.job.open_images(self.database, claim.first, claim.last)

    def work(self, thread: Carrying) -> None:
        """Let the engine classify the images of the message, or die of one."""
        assert thread.message is not None
        indexes = [image.index for image in thread.message.images]
        if self.job.poison.intersection(indexes):
            self.kill(thread.process, redelivers=False)
            return
        thread.results = {index: self.job.classify(index) for index in indexes}
        thread.at = "finish"

    def finish(self, thread: Carrying) -> None:
        """Save what the engine said."""
        claim = thread.claim
        assert claim is not None
        unheard = self.database.at_next_commit is Commit.LANDED
        held = self.holds(claim)
        final, retry_in_s = self.job.judge(claim, thread.results)
        made = Provenance((len(final),))
        landed = ledger.finish(self.database, claim, self.job.model, final, made, retry_in_s)
        # A commit that landed unheard looks as if somebody else had been faster.
        assert landed == (held and not unheard)
        if not landed:
            thread.drop()
            return
        ledger.enforce_budget(self.database, self.job.id)
        thread.at = "complete"

    # ------------------------------------------------------------ a worker's process
    def renew(self, process: int) -> None:
        """Renew what the process has in hand, as far as it is not frozen."""
        claims = [
            one.claim
            for one in self.threads
            if one.process == process and one.inside and one.claim and not one.frozen
        ]
        held = {claim for claim in claims if self.holds(claim)}
        assert ledger.renew(self.database, claims, LEASE_S) == len(held)
        assert ledger.list_held(self.database, claims) == held

    def give_back(self, thread: Carrying, retry_in_s: float) -> None:
        """Give a chunk back, as a drain does."""
        assert thread.claim is not None
        unheard = self.database.at_next_commit is Commit.LANDED
        held = self.holds(thread.claim)
        given = ledger.give_back(self.database, thread.claim, retry_in_s)
        assert given == (held and not unheard)
        thread.drop()
        self.dispatcher.try_to_top_up(self.job.id)

    def kill(self, process: int, redelivers: bool) -> None:
        """Kill a process; the broker may deliver again what it had in hand."""
        for one in self.threads:
            if one.process == process:
                if one.message is not None and redelivers:
                    self.broker.waiting.append(one.message)
                one.drop()
                one.frozen = False

    def is_alone(self, process: int) -> bool:
        """Whether a solo chunk is inside of a process."""
        return any(one.alone for one in self.threads if one.process == process)

    def sweep(self, process: int) -> None:
        """Let the sweeper of a process look once after everything, if it gets the turn."""
        with suppress(BrokerError):
            self.sweepers[process].sweep()

    # ------------------------------------------------------------ time
    def pass_time(self, seconds: float) -> None:
        """Move all that was written down into the past; who is alone never forgets to renew.

        The broker delivers again what was not acknowledged for too long.
        """
        moved = {name: _earlier(self.database, name, seconds) for name in _MOMENTS}
        mine = tables.chunks.c.job_id == self.job.id
        with self.database.transaction() as connection:
            connection.execute(sa.update(tables.chunks).where(mine).values(moved))
            lease = {"lease_until": moved["lease_until"]}
            connection.execute(sa.update(tables.turns).values(lease))
        for process in range(PROCESSES):
            if self.is_alone(process):
                self.renew(process)
        if seconds > VISIBLE_S:
            self.broker.waiting += [one.message for one in self.threads if one.message]

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still its owner's, by the rows."""
        row = self.job.find_chunk(self.database, claim.number)
        return row is not None and (row.state, row.token) == ("running", claim.token)


def _earlier(database: ShakyDatabase, column: str, seconds: float) -> sa.TextClause:
    if database.dialect == "postgresql":
        return sa.text(f"{column} - make_interval(secs => {seconds})")
    return sa.text(f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds') || '000'")
