"""Schedules that mean harm to a toy cluster, as hypothesis's rules."""

from __future__ import annotations

import sys
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
from schedule_recovery import recover, seconds_to_next
from shaky_database import Commit, ShakyDatabase
from toy_cluster import PROCESSES, THREADS, Carrying, ToyCluster
from toy_job import ToyJob

from pipeline import ledger, tables
from pipeline.errors import BrokerError, JobError

_OF_JOBS = (
    *(tables.chunks, tables.predictions, tables.outcomes),
    *(tables.images, tables.jobs, tables.turns),
)
_COMMANDS = {"cancel": ledger.cancel, "resume": ledger.resume, "retry": ledger.retry}
#: What a user does to a job that has ended so.
_COMMANDS_FOR = {"completed": "retry", "cancelled": "resume", "failed": "resume"}
_Moves = list[tuple[int, int]]

_thread, _process = st.integers(0, THREADS - 1), st.integers(0, PROCESSES - 1)
#: One of the threads that have something to do does it; with nothing in hand it takes the message
#: of that place in the queue.
_move = st.tuples(_thread, st.sampled_from([0, 0, 1, 2]))
_moves, _few_moves = st.lists(_move, max_size=9), st.lists(_move, min_size=2, max_size=4)


class Schedule(RuleBasedStateMachine):
    """A few images in small chunks, and everything that can go wrong with them.

    Every rule ends with work: hypothesis leaves out some rules of each example.
    """

    database: ClassVar[ShakyDatabase]

    @initialize(data=st.data(), images=st.integers(1, 5), chunk_size=st.integers(1, 3))
    def start(self, data: st.DataObject, images: int, chunk_size: int) -> None:
        indexes = st.integers(0, images - 1)
        job = ToyJob(images, chunk_size, data.draw(st.sampled_from([None, None, 0.5])))
        job.poison = data.draw(st.sampled_from([set(), set(), {0}]))
        job.broken = data.draw(st.sets(indexes, min_size=1)) - job.poison
        job.passing = data.draw(st.dictionaries(indexes, st.integers(1, 3), max_size=2))
        job.create(self.database)
        self.cluster = ToyCluster(self.database, job, data.draw(st.integers(1, 2)))
        self.judge = Judge(self.cluster)

    # ------------------------------------------------------------ work
    @rule(moves=_moves)
    def work(self, moves: _Moves) -> None:
        for number, index in moves:
            threads = self.cluster.list_ready()
            if not threads:
                self.go_on()
                return
            self.cluster.step(threads[number % len(threads)], index)
            self.judge.check()

    def go_on(self) -> None:
        """Nothing is to be done now: somebody comes and finds something."""
        if not self.cluster.job.submitted:
            self.submit_piece([])
        elif self.judge.status in _COMMANDS_FOR:
            self.decide(_COMMANDS_FOR[self.judge.status], [])
        else:
            self.sweep(seconds_to_next(self.judge.look()), 0, [])

    @precondition(lambda self: not self.cluster.job.submitted)
    @rule(moves=_moves)
    def submit_piece(self, moves: _Moves) -> None:
        self.cluster.job.submit_piece(self.database)
        self.top_up(moves)

    @rule(moves=_moves)
    def top_up(self, moves: _Moves) -> None:
        with suppress(BrokerError):
            self.cluster.dispatcher.top_up(self.cluster.job.id)
        self.work(moves)

    @rule(seconds=st.sampled_from([0, 25, 150, 301]), process=_process, moves=_moves)
    def sweep(self, seconds: float, process: int, moves: _Moves) -> None:
        self.cluster.pass_time(seconds)
        self.cluster.sweep(process)
        self.work(moves)

    @rule(process=_process, moves=_moves)
    def renew(self, process: int, moves: _Moves) -> None:
        self.cluster.renew(process)
        self.work(moves)

    @rule(number=_thread, retry_in_s=st.sampled_from([0.0, 30.0]), moves=_moves)
    def give_back(self, number: int, retry_in_s: float, moves: _Moves) -> None:
        thread = self.cluster.threads[number]
        if thread.inside and not thread.frozen:
            self.cluster.give_back(thread, retry_in_s)
        self.work(moves)

    # ------------------------------------------------------------ faults
    @rule(number=_thread, seconds=st.sampled_from([150, 301]), moves=_few_moves, later=_moves)
    def freeze(self, number: int, seconds: int, moves: _Moves, later: _Moves) -> None:
        """Stop a thread that has a chunk in hand, and let it come back late."""
        inside = self.find_inside()
        if inside:
            thread = inside[number % len(inside)]
            thread.frozen = True
            self.sweep(seconds, thread.process, moves)
            thread.frozen = False
            while thread.inside:
                self.cluster.step(thread)
            self.judge.check()
        self.work(later)

    @precondition(lambda self: not self.cluster.job.poison)
    @rule(numbers=st.lists(_thread, min_size=1, max_size=2), redelivers=st.booleans(), moves=_moves)
    def kill(self, numbers: list[int], redelivers: bool, moves: _Moves) -> None:
        """Kill a process that has a chunk in hand; the sweeper notices it, and perhaps again."""
        for number in numbers:
            if inside := self.find_inside():
                self.cluster.kill(inside[number % len(inside)].process, redelivers)
                self.sweep(150, 0, [])
        self.work(moves)

    def find_inside(self) -> list[Carrying]:
        """Return the threads that chaos may hit, as soon as there are some."""
        for _ in range(9):
            if inside := self.cluster.list_chaos_targets():
                return inside
            self.work([(0, 0)])
        return []

    @rule(trouble=st.sampled_from(Trouble), moves=_moves)
    def break_the_broker(self, trouble: Trouble, moves: _Moves) -> None:
        self.cluster.broker.befall(trouble)
        self.work(moves)

    @rule(how=st.sampled_from(Commit), moves=_moves)
    def break_a_commit(self, how: Commit, moves: _Moves) -> None:
        self.database.at_next_commit = how
        self.work(moves)

    # ------------------------------------------------------------ a user
    @rule(command=st.sampled_from(["cancel", "retry", "resume"]), moves=_moves)
    def decide(self, command: str, moves: _Moves) -> None:
        self.obey(command)
        self.work(moves)

    @rule(
        command=st.sampled_from(["cancel", "retry", "finish"]),
        writes=st.integers(0, 3),
        moves=_moves,
    )
    def intrude(self, command: str, writes: int, moves: _Moves) -> None:
        """Come between two transactions of a sweep, or of the end of a job."""
        ended = self.find_ended()
        self.database.intrude(0 if ended else writes, lambda: self.obey(command))
        if ended:
            self.cluster.step(ended)
        else:
            self.cluster.pass_time(150)
            self.cluster.sweep(0)
        self.database.intrude(0, None)
        self.judge.check()
        self.work(moves)

    def find_ended(self) -> Carrying | None:
        """Return a thread that is about to close the books, as soon as there is one."""
        for _ in range(25):
            self.work([(0, 0)])
            ended = [one for one in self.cluster.list_ready() if one.at == "complete"]
            if ended and self.judge.is_worked_off:
                return ended[0]
        return None

    def obey(self, command: str) -> None:
        if command == "finish":
            for thread in self.cluster.list_ready():
                if thread.at == "finish":
                    self.cluster.finish(thread)
        else:
            with suppress(JobError):
                _COMMANDS[command](self.database, self.cluster.job.id)
        self.judge.check(command)

    # ------------------------------------------------------------ the judge
    @invariant()
    def every_promise_is_kept(self) -> None:
        self.judge.check()
        self.judge.check_books()

    def teardown(self) -> None:
        try:
            # Not after a failure: what comes of it would hide the failure itself.
            if hasattr(self, "judge") and not sys.exc_info()[0]:
                recover(self.cluster, self.judge)
        finally:
            self.database.at_next_commit = None
            with self.database.transaction() as connection:
                for table in _OF_JOBS:
                    connection.execute(sa.delete(table))
