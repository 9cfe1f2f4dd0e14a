"""Schedules that mean harm to a toy cluster, as hypothesis's rules."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import sqlalchemy as sa
from fake_broker import Trouble
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from schedule_judge import Judge
from schedule_recovery import recover
from shaky_database import Commit, ShakyDatabase
from toy_cluster import PROCESSES, THREADS, ToyCluster
from toy_job import ToyJob

from pipeline import ledger, tables
from pipeline.errors import BrokerError, JobError

_OF_JOBS = (
    *(tables.chunks, tables.predictions, tables.outcomes),
    *(tables.images, tables.jobs, tables.turns),
)
_COMMANDS = {"cancel": ledger.cancel, "resume": ledger.resume, "retry": ledger.retry}
_Moves = list[tuple[int, int]]

_thread, _process = st.integers(0, THREADS - 1), st.integers(0, PROCESSES - 1)
#: A thread goes on; with nothing in hand it takes the message of that place in the queue.
_moves = st.lists(st.tuples(_thread, st.sampled_from([0, 0, 0, 1, 2])), max_size=8)


class Schedule(RuleBasedStateMachine):
    """A few images in small chunks, and everything that can go wrong with them.

    Every rule ends with work: hypothesis leaves out some rules of each example.
    """

    database: ClassVar[ShakyDatabase]

    @initialize(data=st.data(), images=st.integers(1, 6), chunk_size=st.integers(1, 3))
    def start(self, data: st.DataObject, images: int, chunk_size: int) -> None:
        indexes = st.integers(0, images - 1)
        job = ToyJob(images, chunk_size, data.draw(st.sampled_from([None, None, 0.5])))
        job.poison = data.draw(st.sampled_from([set(), set(), {0}]))
        job.broken = data.draw(st.sets(indexes)) - job.poison
        job.passing = data.draw(st.dictionaries(indexes, st.integers(1, 3), max_size=2))
        job.create(self.database)
        self.cluster = ToyCluster(self.database, job, data.draw(st.integers(1, 2)))
        self.judge = Judge(self.cluster)
        if data.draw(st.booleans()):
            while not job.submitted:
                job.submit_piece(self.database)

    # ------------------------------------------------------------ work
    @rule(moves=_moves)
    def work(self, moves: _Moves) -> None:
        for number, index in moves:
            thread = self.cluster.threads[number]
            if thread.at == "idle":
                self.cluster.take(thread, index)
            else:
                self.cluster.step(thread)
                self.judge.check()

    @precondition(lambda self: not self.cluster.job.submitted)
    @rule(moves=_moves)
    def submit_piece(self, moves: _Moves) -> None:
        self.cluster.job.submit_piece(self.database)
        self.work(moves)

    @rule(moves=_moves)
    def top_up(self, moves: _Moves) -> None:
        with suppress(BrokerError):
            self.cluster.dispatcher.top_up(self.cluster.job.id)
        self.work(moves)

    @rule(process=_process, moves=_moves)
    def renew(self, process: int, moves: _Moves) -> None:
        self.cluster.renew(process)
        self.work(moves)

    @rule(seconds=st.sampled_from([0, 1, 25, 150, 301]), process=_process, moves=_moves)
    def sweep(self, seconds: int, process: int, moves: _Moves) -> None:
        self.cluster.pass_time(seconds)
        self.cluster.sweep(process)
        self.work(moves)

    @rule(number=_thread, retry_in_s=st.sampled_from([0.0, 30.0]), moves=_moves)
    def give_back(self, number: int, retry_in_s: float, moves: _Moves) -> None:
        thread = self.cluster.threads[number]
        if thread.inside and not thread.frozen:
            self.cluster.give_back(thread, retry_in_s)
        self.work(moves)

    # ------------------------------------------------------------ faults
    @rule(number=_thread, moves=_moves)
    def freeze(self, number: int, moves: _Moves) -> None:
        # Chaos that hit solo runs again and again could condemn anybody.
        thread = self.cluster.threads[number]
        thread.frozen = not self.cluster.is_alone(thread.process)
        self.work(moves)

    @rule(moves=_moves)
    def thaw(self, moves: _Moves) -> None:
        for thread in self.cluster.threads:
            thread.frozen = False
        self.work(moves)

    @rule(process=_process, redelivers=st.booleans(), moves=_moves)
    def kill(self, process: int, redelivers: bool, moves: _Moves) -> None:
        if not self.cluster.job.poison and not self.cluster.is_alone(process):
            self.cluster.kill(process, redelivers)
        self.work(moves)

    @rule(trouble=st.sampled_from(Trouble), moves=_moves)
    def trouble_the_broker(self, trouble: Trouble, moves: _Moves) -> None:
        self.cluster.broker.trouble = trouble
        self.work(moves)

    @rule(count=st.sampled_from([1, 9]), moves=_moves)
    def lose_messages(self, count: int, moves: _Moves) -> None:
        del self.cluster.broker.waiting[:count]
        self.work(moves)

    @rule(moves=_moves)
    def double_messages(self, moves: _Moves) -> None:
        waiting = self.cluster.broker.waiting
        waiting += waiting[-2:]
        self.work(moves)

    @rule(how=st.sampled_from(Commit), moves=_moves)
    def break_off_at_the_next_commit(self, how: Commit, moves: _Moves) -> None:
        self.database.at_next_commit = how
        self.work(moves)

    # ------------------------------------------------------------ a user
    @rule(command=st.sampled_from(["cancel", "resume", "retry", "retry"]), moves=_moves)
    def decide(self, command: str, moves: _Moves) -> None:
        with suppress(JobError):
            _COMMANDS[command](self.database, self.cluster.job.id)
        self.judge.check(command)
        self.work(moves)

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
