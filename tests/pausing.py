"""Two transactions at once: the first stands still before its commit while the second comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from waiting import wait_for

from pipeline.database.database import Database

#: No step of these tests takes longer, in seconds.
_LIMIT_S = 20.0
_FIRST, _SECOND = "first", "second"
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock'"
)


class Pause:
    """Runs one act up to its first commit, lets another come up against it, and ends both."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database = database
        self._run = database._run
        self._reached, self._go, self._came = (threading.Event() for _ in range(3))
        monkeypatch.setattr(database, "_run", self._run_in_turn)

    def race(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
        """Return what both acts returned, or the exceptions that they raised."""
        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(self._act, _FIRST, first)
            assert self._reached.wait(_LIMIT_S), "the first act wrote nothing"
            follower = pool.submit(self._act, _SECOND, second)
            try:
                wait_for(lambda: follower.done() or self._is_blocked(), _LIMIT_S, "the second act")
            finally:
                self._go.set()
            return _answer(begun), _answer(follower)

    def _act(self, name: str, act: Callable[[], Any]) -> Any:
        threading.current_thread().name = name
        return act()

    def _run_in_turn(self, work: Callable[[sa.Connection], Any], write: bool) -> Any:
        name = threading.current_thread().name
        if write and name == _SECOND:
            self._came.set()
        if not write or name != _FIRST or self._reached.is_set():
            return self._run(work, write)
        return self._run(lambda connection: self._hold(work(connection)), write)

    def _hold(self, answer: Any) -> Any:
        self._reached.set()
        assert self._go.wait(_LIMIT_S)
        return answer

    def _is_blocked(self) -> bool:
        if self._database.dialect == "sqlite":
            return self._came.is_set()  # It stands in line for the only writer.
        with self._database.reading() as connection:
            return bool(connection.execute(_WAITING).scalar_one())


def _answer(future: Future[Any]) -> Any:
    return future.exception(_LIMIT_S) or future.result(_LIMIT_S)
