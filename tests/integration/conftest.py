"""A hand on the rows of a database, past the code under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from pausing import Pause

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.records import Claim, Failure, FailureCode, Outcome, Provenance, Score


class Books:
    """Looks at rows and changes them by plain SQL; claims and outcomes for tests."""

    made = Provenance((3, 1), 5.0, 10.0, 20.0, 30.0, "torch", "cpu", {"torch": "2"})

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, table: sa.Table, *names: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table in the order of its key: the named columns, or all."""
        columns = [table.c[name] for name in names] or [*table.c]
        with self._database.reading() as connection:
            found = connection.execute(sa.select(*columns).order_by(*table.primary_key))
            return [tuple(row) for row in found]

    def look(self, table: sa.Table, number: int | None = None) -> dict[str, Any]:
        """Return the only row of a table, or that of the chunk ``number``."""
        where = [table.c.number == number] if number is not None else []
        with self._database.reading() as connection:
            return dict(connection.execute(sa.select(table).where(*where)).one()._mapping)

    def change(self, table: sa.Table, **values: Any) -> None:
        """Change every row of a table."""
        with self._database.transaction() as connection:
            connection.execute(sa.update(table).values(values))

    def count(self, table: sa.Table) -> int:
        """Return the number of rows of a table."""
        counted = sa.select(sa.func.count()).select_from(table)
        with self._database.reading() as connection:
            return connection.execute(counted).scalar_one()

    def take(self, job_id: int, lease_s: float = 60) -> Claim:
        """Claim the next chunk; there must be one."""
        claim = ledger.claim_next(self._database, job_id, "test", lease_s)
        assert claim is not None
        return claim

    @staticmethod
    def classified(indexes: Sequence[int], label: int = 0) -> list[Outcome]:
        """Return an outcome with two scores for each index."""
        return [Outcome(index, (Score(label, 0.9), Score(9, 0.1))) for index in indexes]

    @staticmethod
    def failed(indexes: Sequence[int]) -> list[Outcome]:
        """Return a failure for each index."""
        failure = Failure(FailureCode.NOT_FOUND, "no file")
        return [Outcome(index, failure=failure) for index in indexes]


@pytest.fixture
def books(database: Database) -> Books:
    """A hand on the rows of ``database``."""
    return Books(database)


@pytest.fixture
def race(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], Any], Callable[[], Any]], tuple[Any, Any]]:
    """A function that runs two acts, the second against the first's open transaction."""
    return Pause(database, monkeypatch).race
