"""Which faults of a database pass, which are bugs, and what people read of the others."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from pipeline.database.faults import explain, is_service_fault, is_transient


def of_sqlite(code: int) -> DBAPIError:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return OperationalError("SELECT 1", None, error)


def of_postgres(state: str | None, text: str = "as the server says") -> DBAPIError:
    kind = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    return OperationalError("SELECT 1", None, kind(text))


@pytest.mark.parametrize("code", [5, 6, 5 | 1 << 8, 5 | 2 << 8], ids=hex)
def test_a_busy_sqlite_passes(code: int) -> None:
    assert is_transient(of_sqlite(code))


@pytest.mark.parametrize("code", [1, 8, 10, 11, 13, 14, 26], ids=hex)
def test_other_faults_of_sqlite_do_not_pass(code: int) -> None:
    assert not is_transient(of_sqlite(code))


@pytest.mark.parametrize(
    "state", ["40001", "40P01", "08006", "08001", "57P01", "57P03", "53300", "25P03", None]
)
def test_conflicts_restarts_and_lost_connections_pass(state: str | None) -> None:
    assert is_transient(of_postgres(state))


@pytest.mark.parametrize("state", ["42P01", "23505", "22P02", "53100", "42501"])
def test_other_faults_of_postgresql_do_not_pass(state: str) -> None:
    assert not is_transient(of_postgres(state))


def test_a_bug_of_ours_is_neither_transient_nor_a_service_fault() -> None:
    twice = IntegrityError("INSERT", None, sqlite3.IntegrityError("UNIQUE"))
    for bug in (KeyError("x"), twice, of_sqlite(1)):
        assert not is_transient(bug)
        assert not is_service_fault(bug)


def test_a_pool_without_a_free_connection_passes_and_is_no_bug() -> None:
    assert is_transient(sa.exc.TimeoutError("no connection"))
    assert is_service_fault(sa.exc.TimeoutError("no connection"))


def test_a_sentence_never_shows_the_password() -> None:
    error = of_postgres(None, 'connection to "me:hush@host" failed:\nhush')
    sentence = str(explain(error, "postgresql://me:***@host/x", "hush"))
    assert "hush" not in sentence
    assert "\n" not in sentence
    assert "cannot be reached" in sentence
    assert "IMAGEMILL_DATABASE_URL" in sentence
