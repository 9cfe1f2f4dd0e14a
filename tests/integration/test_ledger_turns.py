"""One worker at a time has the turn, and nobody who is frozen stops the others."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from crowd import at_once
from waiting import wait_for

from pipeline import ledger, tables
from pipeline.clock import from_now
from pipeline.database.database import open_database
from pipeline.ledger import WORKER_SESSION, Losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Faults, SmallJob
    from integration.conftest import Books

    from pipeline.database.database import Database

_FROZEN_FINISH = Path(__file__).parents[1] / "frozen_finish.py"
_ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


# ---------------------------------------------------------------- turns
def test_two_workers_have_one_turn(database: Database) -> None:
    take = partial(ledger.take_turn, database, "sweep", lease_s=60)
    assert take("a")
    assert not take("b")
    assert take("a")
    assert not take("b")
    assert ledger.take_turn(database, "another", "b", 60)


def test_one_of_many_who_ask_at_once_gets_the_turn(database: Database) -> None:
    asks = (partial(ledger.take_turn, database, "sweep", f"{n}", 60) for n in range(8))
    assert sum(at_once(*asks)) == 1


def test_the_turn_of_a_frozen_worker_passes_on(database: Database, books: Books) -> None:
    assert ledger.take_turn(database, "sweep", "frozen", 60)
    books.change(tables.turns, lease_until=from_now(-1))
    assert ledger.take_turn(database, "sweep", "b", 60)
    assert not ledger.take_turn(database, "sweep", "frozen", 60)
    assert books.look(tables.turns)["worker"] == "b"


def test_a_turn_lasts_by_the_clock_of_the_database(database: Database, books: Books) -> None:
    ledger.take_turn(database, "sweep", "a", 500)
    now = sa.select(from_now())
    with database.reading() as connection:
        left = books.look(tables.turns)["lease_until"] - connection.execute(now).scalar_one()
    assert left.total_seconds() == pytest.approx(500, abs=5)


@pytest.mark.parametrize("landed", [True, False])
def test_a_turn_whose_commit_is_unknown_is_taken_once(
    database: Database, faults: Faults, landed: bool
) -> None:
    faults.at_next_commit(database, landed=landed)
    assert ledger.take_turn(database, "sweep", "a", 60)
    assert not ledger.take_turn(database, "sweep", "b", 60)


# ---------------------------------------------------------------- frozen sessions
@pytest.fixture
def worker(database_url: str) -> Iterator[Database]:
    """The database as a worker opens it."""
    opened = open_database(database_url, WORKER_SESSION)
    yield opened
    opened.close()


def is_alive(session: psycopg.Connection) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@_ON_POSTGRES
def test_a_workers_session_is_ended_when_its_transaction_outlived_the_lease(
    worker: Database, database_url: str, postgres_url: str
) -> None:
    connect = partial(psycopg.connect, database_url)
    with (
        connect(application_name=WORKER_SESSION) as frozen,
        connect(application_name=WORKER_SESSION, autocommit=True) as idle,
        connect(application_name="imagemill") as command,
        psycopg.connect(postgres_url, application_name=WORKER_SESSION) as elsewhere,
    ):
        for session in (frozen, idle, command, elsewhere):
            session.execute("SELECT 1")
        assert ledger.end_frozen_sessions(worker, 1000) == 0
        assert is_alive(frozen)
        # It leaves out itself, whose transaction is old enough by now, too.
        assert ledger.end_frozen_sessions(worker, 0) == 1
        assert [is_alive(one) for one in (frozen, idle, command, elsewhere)] == [
            *(False, True, True, True)
        ]
        assert ledger.end_frozen_sessions(worker, 0) == 0


def test_sqlite_has_no_sessions_to_end(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    assert ledger.end_frozen_sessions(database, 0) == 0
    database.close()


@_ON_POSTGRES
def test_a_process_that_stopped_in_the_middle_of_a_copy_holds_its_chunk_no_longer(
    database: Database, books: Books, submit_small: Callable[..., SmallJob], database_url: str
) -> None:
    small = submit_small(database, images=4, chunk_size=4)
    books.change(tables.jobs, dispatch="broker")
    claim = books.take(small.id, lease_s=-1)
    words = [sys.executable, str(_FROZEN_FINISH), database_url, str(small.id), str(claim.token)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: _is_stopped(process.pid), 30, "the stop")
            # Its row is not waited for; nobody but the sweeper can free it.
            assert ledger.expire_leases(database) == Losses()
            assert ledger.end_frozen_sessions(database, 1000) == 0
            assert ledger.end_frozen_sessions(database, 0) == 1
            found = wait_for(lambda: ledger.expire_leases(database).lost, 20, "the loss")
            assert found == [small.id]
        finally:
            process.send_signal(signal.SIGCONT)
        answer, _ = process.communicate(timeout=60)
    # It wakes up, tries again, and finds that it was fenced off.
    assert answer == "False\n"
    assert books.count(tables.outcomes) == 0
    assert books.look(tables.chunks, 0)["state"] == "queued"


def _is_stopped(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"
