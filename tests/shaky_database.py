"""A database whose next commit is one that nobody learns the outcome of."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import sqlalchemy as sa

from pipeline.database.address import read_address
from pipeline.database.database import Database

T = TypeVar("T")


class Commit(Enum):
    """What became of a commit before the connection broke."""

    LANDED = "landed"
    LOST = "lost"


class ShakyDatabase(Database):
    """A database that breaks the connection at its next commit when it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__(read_address(url))
        self.at_next_commit: Commit | None = None

    def _run(self, work: Callable[[sa.Connection], T], write: bool) -> T:
        how = self.at_next_commit
        if how is None or not write:
            return super()._run(work, write)
        self.at_next_commit = None
        if how is Commit.LANDED:
            super()._run(work, write)
            raise _broken_off()
        return super()._run(lambda connection: _break_after(work(connection)), write)


def _break_after(_: object) -> T:
    raise _broken_off()


def _broken_off() -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError("COMMIT", None, OSError("gone"), connection_invalidated=True)
