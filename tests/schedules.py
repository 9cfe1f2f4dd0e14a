"""Schedules that mean harm to a toy cluster, as hypothesis's rules."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import sqlalchemy as sa
from toy_cluster import PROCESSES, THREADS, ToyCluster
from toy_job import ToyJob
from schedule_judge import Judge
from schedule_recovery import recover
from fake_broker import Trouble
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from shaky_database import Commit, ShakyDatabase

from pipeline import ledger, tables
from pipeline.errors import BrokerError, JobError

_OF_JOBS = (
    *(tables.chunks, tables.predictions, tables.outcomes),
    *(tables.images, tables.jobs, tables.turns),
)
_threads, _processes = st.integers(0, THREADS - 1), st.integers(0, PROCESSES - 1)


class Schedule(RuleBasedStateMachine):
    """A few images in small chunks, and everything that can go wrong with them."""

    database: ClassVar[ShakyDatabase]

    @initialize(data=st.data(), images=st.integers(1, 6), chunk_size=st.integers(1, 3))
    def start(self, data: st.DataObject, images: int, chunk_size: int) -> None:
        some = st.sets(st.integers(0, images - 1))
        job = ToyJob(images, chunk_size, data.draw(st.sampled_from([None, None, 0.5])))
        job.poison = data.draw(st.sampled_from([set(), {0}]))
        job.broken = data.draw(some) - job.poison
        job.passing = data.draw(st.dictionaries(st.integers(0, images - 1), st.integers(1, 3)))
        job.create(self.database)
        self.cluster = ToyCluster(self.database, job, data.draw(st.integers(1, 2)))
        self.judge = Judge(self.cluster)

    # ------------------------------------------------------------ work
    @precondition(lambda self: not self.cluster.job.submitted)
    @rule()
    def submit_piece(self) -> None:
        self.cluster.job.submit_piece(self.database)

    @rule(numbers=st.lists(_threads, min_size=1, max_size=6), redelivers=st.booleans())
    def step(self, numbers: list[int], redelivers: bool) -> None:
        for number in numbers:
            self.cluster.step(self.cluster.threads[number], redelivers)
            self.judge.check()

    @rule(number=_threads, index=st.integers(0, 5))
    def take_out_of_order(self, number: int, index: int) -> None:
        self.cluster.take(self.cluster.threads[number], index)

    @rule(process=_processes)
    def renew(self, process: int) -> None:
        self.cluster.renew(process)

    @rule(process=_processes)
    def sweep(self, process: int) -> None:
        self.cluster.sweep(process)

    @rule()
    def top_up(self) -> None:
        with suppress(BrokerError):
            self.cluster.dispatcher.top_up(self.cluster.job.id)

    @rule(number=_threads, retry_in_s=st.sampled_from([0.0, 30.0]))
    def give_back(self, number: int, retry_in_s: float) -> None:
        thread = self.cluster.threads[number]
        if thread.inside and not thread.frozen:
            self.cluster.give_back(thread, retry_in_s)

    # ------------------------------------------------------------ faults
    @rule(seconds=st.sampled_from([1, 20, 60, 150, 301]))
    def pass_time(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)

    @rule(number=_threads)
    def freeze(self, number: int) -> None:
        # Chaos that hit solo runs again and again could condemn anybody.
        thread = self.cluster.threads[number]
        thread.frozen = not self.cluster.is_alone(thread.process)

    @rule(number=_threads)
    def thaw(self, number: int) -> None:
        self.cluster.threads[number].frozen = False

    @rule(process=_processes, redelivers=st.booleans())
    def kill(self, process: int, redelivers: bool) -> None:
        if not self.cluster.job.poison and not self.cluster.is_alone(process):
            self.cluster.kill(process, redelivers)

    @rule(trouble=st.sampled_from(Trouble))
    def trouble_the_broker(self, trouble: Trouble) -> None:
        self.cluster.broker.trouble = trouble

    @rule(count=st.integers(1, 9))
    def lose_messages(self, count: int) -> None:
        del self.cluster.broker.waiting[:count]

    @precondition(lambda self: self.cluster.broker.waiting)
    @rule(index=st.integers(0, 5))
    def double_a_message(self, index: int) -> None:
        waiting = self.cluster.broker.waiting
        waiting.append(waiting[index % len(waiting)])

    @rule(how=st.sampled_from(Commit))
    def break_off_at_the_next_commit(self, how: Commit) -> None:
        self.database.at_next_commit = how

    # ------------------------------------------------------------ a user
    @rule()
    def cancel(self) -> None:
        with suppress(JobError):
            ledger.cancel(self.database, self.cluster.job.id)

    @rule()
    def resume(self) -> None:
        with suppress(JobError):
            ledger.resume(self.database, self.cluster.job.id)
        self.judge.check("resume")

    @rule()
    def retry(self) -> None:
        with suppress(JobError):
            ledger.retry(self.database, self.cluster.job.id)
        self.judge.check("retry")

    @rule()
    def complete(self) -> None:
        ledger.complete(self.database, self.cluster.job.id)

    # ------------------------------------------------------------ the judge
    @invariant()
    def every_promise_is_kept(self) -> None:
        self.judge.check()
        self.judge.check_books()

    def teardown(self) -> None:
        try:
            if hasattr(self, "judge"):
                recover(self.cluster, self.judge)
        finally:
            self.database.at_next_commit = None
            with self.database.transaction() as connection:
                for table in _OF_JOBS:
                    connection.execute(sa.delete(table))
