"""Transactions and connections: what is committed, who waits for whom."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline import tables
from pipeline.database.database import Database, open_database, upgrade_database
from pipeline.records import Model
from pipeline.storage.rows import save_model

_COUNT = sa.select(sa.func.count()).select_from(tables.models)


def count_models(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(_COUNT).scalar_one()


def ask(database: Database, statement: str) -> object:
    with database.reading() as connection:
        return connection.scalar(sa.text(statement))


def test_a_transaction_commits_at_its_end(database: Database, small_model: Model) -> None:
    with database.transaction() as connection:
        save_model(connection, small_model)
    assert count_models(database) == 1


def test_a_transaction_rolls_back_on_an_exception(database: Database, small_model: Model) -> None:
    def work(connection: sa.Connection) -> None:
        save_model(connection, small_model)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.attempt(work)
    assert count_models(database) == 0


def test_a_reader_keeps_its_snapshot_and_blocks_no_writer(
    sqlite_url: str, small_model: Model
) -> None:
    database = open_database(sqlite_url)
    with database.reading() as reader:
        assert reader.scalar(_COUNT) == 0
        with database.transaction() as writer:
            save_model(writer, small_model)
        assert reader.scalar(_COUNT) == 0
    assert count_models(database) == 1
    database.close()


def test_a_writer_that_is_not_done_blocks_no_reader(database: Database, small_model: Model) -> None:
    with database.transaction() as writer:
        save_model(writer, small_model)
        assert count_models(database) == 0


def test_threads_that_write_at_once_lose_nothing(database: Database) -> None:
    table = sa.Table("counter", sa.MetaData(), sa.Column("n", sa.Integer))
    with database.transaction() as connection:
        table.create(connection)
        connection.execute(sa.insert(table).values(n=0))

    def count_up(_: int) -> None:
        database.attempt(lambda c: c.execute(sa.update(table).values(n=table.c.n + 1)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(80)))
    assert ask(database, "SELECT n FROM counter") == 80


def test_a_transaction_holds_the_lock_of_sqlite_from_its_begin_on(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)
    with database.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    database.close()


def test_threads_of_one_process_stand_in_line_for_sqlite(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A writer that finds the file locked now fails at once, so none may ever find it so.
    monkeypatch.setattr("pipeline.database.connections._BUSY_TIMEOUT_S", 0.0)
    database = open_database(sqlite_url)

    def write(_: int) -> None:
        with database.transaction() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    database.close()


def test_sqlite_is_durable_and_waits_for_its_writer(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    assert [ask(database, f"PRAGMA {name}") for name in pragmas] == ["wal", 2, 1, 30_000]
    database.close()


def test_postgresql_knows_who_we_are_and_frees_frozen_sessions(database_url: str) -> None:
    database = open_database(database_url)
    if database.dialect == "postgresql":
        assert ask(database, "SHOW application_name") == "imagemill"
        assert ask(database, "SHOW idle_in_transaction_session_timeout") == "1min"
    database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_every_postgresql_address_means_psycopg_3(empty_postgres_url: str, scheme: str) -> None:
    url = scheme + empty_postgres_url[empty_postgres_url.index("://") :]
    upgrade_database(url)
    database = open_database(url)
    assert database.engine.dialect.driver == "psycopg"
    assert database.address.startswith("postgresql://")
    database.close()


def test_the_folder_of_an_sqlite_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b c" / "d%20.db"
    open_database(f"sqlite:///{path}").close()
    assert [file.name for file in path.parent.iterdir()] == ["d%20.db"]


def test_the_last_to_close_leaves_one_plain_file(sqlite_url: str, small_model: Model) -> None:
    database = open_database(sqlite_url)
    with database.transaction() as connection:
        save_model(connection, small_model)
    database.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
