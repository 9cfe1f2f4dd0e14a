"""Moments in UTC, and the clock of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import Timestamp, from_now

# Made by name: the classes of the dialects carry no types.
_POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()
_SQLITE = sa.make_url("sqlite://").get_dialect()()
_moments = sa.Table("moments", sa.MetaData(), sa.Column("at", Timestamp))


def store(moment: datetime | None) -> tuple[datetime | None, str | None]:
    """Return a moment as it comes back from SQLite, and the text that was stored."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        _moments.create(connection)
        connection.execute(sa.insert(_moments).values(at=moment))
        text = connection.scalar(sa.text("SELECT at FROM moments"))
        back = connection.scalar(sa.select(_moments.c.at))
    engine.dispose()
    return back, text


def ask(element: sa.ColumnElement[datetime]) -> datetime:
    """Return what SQLite says of ``element``."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        answer: datetime = connection.execute(sa.select(element)).scalar_one()
    engine.dispose()
    return answer


@given(st.datetimes(timezones=st.timezones() | st.just(UTC), min_value=datetime(1971, 1, 1)))  # noqa: DTZ001
def test_a_moment_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    back, _ = store(moment)
    assert back is not None
    assert back == moment.astimezone(UTC)
    assert back.tzinfo is UTC


def test_sqlite_stores_utc_whatever_the_offset_was() -> None:
    east = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=5)))
    assert store(east)[1] == "2026-03-01 07:00:00.000000"


def test_no_moment_stays_none() -> None:
    assert store(None) == (None, None)


def test_postgresql_keeps_the_offset_and_answers_in_utc() -> None:
    east = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=5)))
    kind, dialect = Timestamp(), _POSTGRESQL
    assert kind.process_bind_param(east, dialect) == east
    read = kind.process_result_value(east, dialect)
    assert read == east
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.parametrize("seconds", [0.0, 120.0, -30.0, 0.25, 86_400.0])
def test_the_clock_of_sqlite_is_the_true_time_and_some_seconds(seconds: float) -> None:
    before = datetime.now(UTC)
    answer = ask(from_now(seconds))
    after = datetime.now(UTC)
    # SQLite counts milliseconds.
    slack = timedelta(milliseconds=2)
    assert before - slack <= answer - timedelta(seconds=seconds) <= after + slack


def test_the_clock_of_sqlite_writes_the_text_that_a_moment_is_stored_as() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        _moments.create(connection)
        connection.execute(sa.insert(_moments).values(at=from_now()))
        text: str = connection.execute(sa.text("SELECT at FROM moments")).scalar_one()
        moment: datetime = connection.execute(sa.select(_moments.c.at)).scalar_one()
    engine.dispose()
    # Compared as text in SQL, so both must be the same to the last digit.
    assert text == store(moment)[1]


def test_each_number_of_seconds_shares_one_compiled_statement() -> None:
    one, two = (from_now(seconds)._generate_cache_key() for seconds in (1.0, 2.0))
    assert one is not None
    assert one == two


def test_the_clock_of_postgresql_goes_on_inside_a_transaction() -> None:
    text = str(from_now(5).compile(dialect=_POSTGRESQL))
    assert "clock_timestamp()" in text
    assert "strftime" in str(from_now(5).compile(dialect=_SQLITE))
