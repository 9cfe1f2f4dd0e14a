"""Bytes that were seen before under the same model have their answer in the database."""

from __future__ import annotations

import hashlib
import pickle
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.known.answers import PATIENCE_S, KnownAnswers
from pipeline.known.driver import SESSION
from pipeline.records import FileFacts, Outcome, Precision, Provenance, Score
from pipeline.storage.deletion import delete_job
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import SmallJob
    from integration.conftest import Books

    from pipeline.records import Model


def digest_of(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def seen(index: int, labels: int = 3, bytes_of: int | None = None) -> Outcome:
    """Return the outcome of an image whose bytes are those of ``bytes_of`` (its own index)."""
    scores = tuple(Score((index + n) % 10, 0.5 / (n + 1)) for n in range(labels))
    digest = digest_of(index if bytes_of is None else bytes_of)
    return Outcome(index, scores, facts=FileFacts(10, "1", digest))


@dataclass(frozen=True, slots=True)
class Seen:
    """A database in which a job has classified four images, and who looks for answers there."""

    database: Database
    job: SmallJob
    answers: KnownAnswers

    def find(self, number: int, top_k: int = 3, model_id: int | None = None) -> list[int] | None:
        """Return the classes of the answer for an image's bytes."""
        model = self.job.model.id if model_id is None else model_id
        found = self.answers.find(model, top_k, digest_of(number))
        return None if found is None else [score.index for score in found]


@pytest.fixture
def known(
    database: Database, database_url: str, submit_small: Callable[..., SmallJob]
) -> Iterator[Seen]:
    job = submit_small(database, images=4, chunk_size=4)
    claim = ledger.claim_next(database, job.id, "test", 60)
    assert claim
    assert ledger.finish(database, claim, job.model, [seen(n) for n in range(4)], Provenance())
    answers = KnownAnswers(database_url)
    yield Seen(database, job, answers)
    answers.close()


def test_the_answer_to_bytes_is_that_of_the_image_that_had_them(known: Seen) -> None:
    found = known.answers.find(known.job.model.id, 3, digest_of(2))
    assert found == (Score(2, 0.5), Score(3, 0.25), Score(4, 0.5 / 3))
    assert known.find(2, top_k=1) == [2]
    assert known.find(99) is None


def test_another_model_another_precision_and_other_labels_know_nothing(
    known: Seen, small_model: Model
) -> None:
    others = (
        replace(small_model, sha256="77" * 32),
        replace(small_model, precision=Precision.FAST),
        replace(small_model, labels=small_model.labels[::-1]),
    )
    for other in others:
        with known.database.transaction() as connection:
            stored = save_model(connection, other)
        assert known.find(2, model_id=stored.id) is None
    assert known.find(2, model_id=12_345) is None


def test_an_answer_with_too_few_predictions_is_none_unless_there_are_no_more_classes(
    known: Seen, small_model: Model
) -> None:
    assert known.find(2, top_k=4) is None
    with known.database.transaction() as connection:
        small = save_model(connection, replace(small_model, labels=("a", "b", "c")))
        outcome = Outcome(0, tuple(Score(n, 0.3) for n in range(3)), facts=FileFacts(1, "1", b"x"))
        save_outcomes(connection, 77, small, [outcome])
    found = known.answers.find(small.id, 5, b"x")
    assert found is not None
    assert len(found) == 3


def test_of_images_with_the_same_bytes_one_with_predictions_enough_is_found(known: Seen) -> None:
    with known.database.transaction() as connection:
        save_outcomes(connection, 77, known.job.model, [seen(5, 1, 6), seen(6, 5, 6)])
    assert known.find(6, top_k=5) == [6, 7, 8, 9, 0]


def test_failures_and_deleted_jobs_know_nothing(known: Seen, books: Books) -> None:
    with known.database.transaction() as connection:
        failure = replace(books.failed([7])[0], facts=FileFacts(10, "1", digest_of(7)))
        save_outcomes(connection, 77, known.job.model, [failure])
    assert known.find(7) is None
    assert known.find(2) is not None
    delete_job(known.database, known.job.id)
    assert known.find(2) is None


def test_what_is_committed_later_is_known_at_once(known: Seen) -> None:
    assert known.find(8) is None
    with known.database.transaction() as connection:
        save_outcomes(connection, 77, known.job.model, [seen(8)])
    assert known.find(8) == [8, 9, 0]


def test_it_travels_to_another_process_and_shows_no_password(known: Seen) -> None:
    assert known.find(1) is not None
    copy = pickle.loads(pickle.dumps(known.answers))
    assert copy.find(known.job.model.id, 3, digest_of(1)) == known.answers.find(
        known.job.model.id, 3, digest_of(1)
    )
    copy.close()
    secret = KnownAnswers("postgresql://user:secret@127.0.0.1:9/x")
    assert "secret" not in repr(secret) + repr(vars(secret))


def test_its_connection_cannot_write(known: Seen) -> None:
    connection = known.answers._driver.connect()
    try:
        with pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
            connection.execute("DELETE FROM jobs", {})
    finally:
        connection.close()


def test_many_threads_ask_over_one_connection(known: Seen) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append((n % 4, known.find(n % 4, 1))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == sorted(((n % 4, [n % 4]) for n in range(20)), key=str)
    if known.database.dialect == "postgresql":
        count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        with known.database.reading() as connection:
            assert connection.scalar(count, {"name": SESSION}) == 1


def test_it_reads_while_somebody_writes(known: Seen) -> None:
    with known.database.transaction() as connection:
        save_outcomes(connection, 77, known.job.model, [seen(8)])
        started = time.monotonic()
        assert known.find(2) == [2, 3, 4]
        assert known.find(8) is None
        assert time.monotonic() - started < PATIENCE_S


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_server_that_says_nothing_costs_one_wait_and_then_a_pause() -> None:
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        answers = KnownAnswers(f"postgresql://u@127.0.0.1:{port}/d", clock)
        started = time.monotonic()
        assert answers.find(1, 1, b"x") is None
        assert 1 < time.monotonic() - started < PATIENCE_S + 1
        started = time.monotonic()
        assert [answers.find(1, 1, b"x") for _ in range(100)] == [None] * 100
        assert time.monotonic() - started < 0.5


def test_a_database_that_is_away_knows_nothing_and_is_asked_again_later(
    known: Seen, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock, folder = Clock(), tmp_path_factory.mktemp("away")
    answers = KnownAnswers(f"sqlite:///{folder}/imagemill.db", clock)
    assert answers.find(known.job.model.id, 3, digest_of(2)) is None
    assert [*folder.iterdir()] == [], "looking makes no file"
    if known.database.dialect == "sqlite":
        with (
            sqlite3.connect(f"{folder}/imagemill.db") as copy,
            sqlite3.connect(known.database.address.removeprefix("sqlite:///")) as source,
        ):
            source.backup(copy)
        copy.close()
        source.close()
        clock.now = 4.9
        assert answers.find(known.job.model.id, 3, digest_of(2)) is None
        clock.now = 5.1
        assert answers.find(known.job.model.id, 3, digest_of(2)) is not None
    answers.close()


def test_a_session_that_the_server_ended_is_replaced(known: Seen, database_url: str) -> None:
    if known.database.dialect == "sqlite":
        return
    clock = Clock()
    answers = KnownAnswers(database_url, clock)
    assert answers.find(known.job.model.id, 3, digest_of(2)) is not None
    ended = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
    )
    with known.database.transaction() as connection:
        connection.execute(ended, {"name": SESSION})
    assert answers.find(known.job.model.id, 3, digest_of(2)) is None
    clock.now = 6
    assert answers.find(known.job.model.id, 3, digest_of(2)) is not None
    answers.close()
