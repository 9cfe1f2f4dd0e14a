"""Faults that pass are waited for; the others are not."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from pipeline import tables
from pipeline.database.database import Database, open_database, upgrade_database
from pipeline.errors import DatabaseError
from pipeline.records import Model, Outcome, Score
from pipeline.storage.rows import save_model, save_outcomes

_COUNT = sa.select(sa.func.count()).select_from(tables.models)


def count_models(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(_COUNT).scalar_one()


def lock_file(url: str) -> sqlite3.Connection:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_locked_file_is_tried_again_until_it_is_free(
    sqlite_url: str, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.database.connections._BUSY_TIMEOUT_S", 0.0)
    database, pauses = open_database(sqlite_url), []
    other = lock_file(sqlite_url)

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            other.close()

    monkeypatch.setattr("pipeline.database.patience.time.sleep", sleep)
    database.attempt(lambda connection: save_model(connection, small_model))
    assert pauses == [0.05, 0.1, 0.2]
    assert count_models(database) == 1
    database.close()


def test_a_file_that_stays_locked_is_a_sentence_in_the_end(
    sqlite_url: str, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.database.connections._BUSY_TIMEOUT_S", 0.0)
    monkeypatch.setattr("pipeline.database.patience.PATIENCE_S", 0.1)
    database = open_database(sqlite_url)
    other = lock_file(sqlite_url)
    with pytest.raises(DatabaseError, match="is locked by another program; close it"):
        database.attempt(lambda connection: save_model(connection, small_model))
    other.close()
    database.close()


def end_session(url: str, pid: int) -> None:
    server = open_database(url)
    with server.transaction() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    server.close()


@pytest.mark.parametrize("way", ["a statement", "a COPY"])
def test_a_session_that_ended_in_front_of_a_statement_or_a_copy_is_tried_again(
    empty_postgres_url: str, small_model: Model, way: str
) -> None:
    upgrade_database(empty_postgres_url)
    database, pids = open_database(empty_postgres_url), []

    def work(connection: sa.Connection) -> None:
        pid: int = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        pids.append(pid)
        if way == "a statement" and len(pids) == 1:
            end_session(empty_postgres_url, pid)
        model = save_model(connection, small_model)
        if way == "a COPY" and len(pids) == 1:
            end_session(empty_postgres_url, pid)
        save_outcomes(connection, 1, model, [Outcome(0, (Score(0, 1.0),))])

    database.attempt(work)
    assert len(set(pids)) == 2
    assert count_models(database) == 1
    database.close()


def test_a_deadlock_is_tried_again(database_url: str, small_model: Model) -> None:
    database = open_database(database_url)
    other = Model("other", "0b" * 32, small_model.precision, "1", ("a",))
    with database.transaction() as connection:
        ids = [save_model(connection, model).id for model in (small_model, other)]
    # The two meet in the middle of their first try, each with the row that the other wants.
    meeting, tries = threading.Barrier(2), []

    def rename(order: list[int]) -> None:
        tries_here = 0

        def work(connection: sa.Connection) -> None:
            nonlocal tries_here
            tries_here += 1
            tries.append(order)
            for step, model_id in enumerate(order):
                here = tables.models.c.id == model_id
                connection.execute(sa.update(tables.models).where(here).values(name=str(order)))
                if step == 0 and tries_here == 1 and database.dialect == "postgresql":
                    meeting.wait(20)

        database.attempt(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(rename, [ids, ids[::-1]]))
    assert len(tries) == (3 if database.dialect == "postgresql" else 2)
    database.close()


def test_a_bug_is_not_tried_again_and_goes_out_as_it_is(
    database: Database, small_model: Model
) -> None:
    tries = []

    def work(connection: sa.Connection) -> None:
        tries.append(1)
        connection.execute(sa.text("SELECT 1 FROM nowhere"))

    with pytest.raises(sa.exc.SQLAlchemyError):
        database.attempt(work)
    assert len(tries) == 1
