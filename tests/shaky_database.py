"""A database whose next commit is one that nobody learns the outcome of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from pipeline.database.address import read_address
from pipeline.database.connections import BEGIN
from pipeline.database.database import Database

T = TypeVar("T")


class Commit(Enum):
    """What became of a commit before the connection broke."""

    LANDED = "landed"
    LOST = "lost"


class ShakyDatabase(Database):
    """A database whose next commit breaks off, or to which somebody comes first, when told so."""

    def __init__(self, url: str) -> None:
        super().__init__(read_address(url))
        self.at_next_commit: Commit | None = None
        # One connection for all looks: thousands of them would each fetch one and ping it.
        looking = {BEGIN: "", "isolation_level": "AUTOCOMMIT"}
        self._eye = self.engine.connect().execution_options(**looking)
        self._writes = 0
        self._intruder: Callable[[], None] | None = None

    def look(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Return the rows as they are committed now."""
        return self._eye.execute(statement).all()

    def close(self) -> None:
        self._eye.close()
        super().close()

    def intrude(self, writes: int, act: Callable[[], None] | None) -> None:
        """Let ``act`` happen after so many transactions that write, before the next one."""
        self._writes, self._intruder = writes, act

    def _run(self, work: Callable[[sa.Connection], T], write: bool) -> T:
        if not write:
            return super()._run(work, write)
        self._let_in()
        how, self.at_next_commit = self.at_next_commit, None
        if how is Commit.LANDED:
            super()._run(work, write)
            raise _broken_off()
        if how is Commit.LOST:
            return super()._run(lambda connection: _break_after(work(connection)), write)
        return super()._run(work, write)

    def _let_in(self) -> None:
        intruder, self._writes = self._intruder, self._writes - 1
        if intruder and self._writes < 0:
            self._intruder = None
            intruder()


def _break_after(_: object) -> NoReturn:
    raise _broken_off()


def _broken_off() -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError("COMMIT", None, OSError("gone"), connection_invalidated=True)
