"""Whatever is wrong with a database is one sentence, without its password."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from pipeline import tables
from pipeline.database.database import check_schema, open_database
from pipeline.errors import DatabaseError

_COUNT = sa.select(sa.func.count()).select_from(tables.models)


def refusal(url: str) -> str:
    """Return the sentence with which ``url`` is refused; it must be one line."""
    with pytest.raises(DatabaseError) as caught:
        open_database(url)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_full_disk_is_a_sentence(sqlite_url: str) -> None:
    database = open_database(sqlite_url)

    def fill(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(1000000) AS bytes")

    with pytest.raises(DatabaseError, match=r"the disk under .* is full; make room"):
        database.attempt(fill)
    database.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 100)
    assert refusal(f"sqlite:///{path}").startswith(f"sqlite:///{path} is no SQLite database")
    assert path.read_text() == "these are my notes\n" * 100


@pytest.mark.parametrize("place", ["/proc/imagemill.db", "/proc/nowhere/imagemill.db"])
def test_a_folder_that_cannot_be_written_is_a_sentence(place: str) -> None:
    assert f"sqlite:///{place} cannot be" in refusal(f"sqlite:///{place}")


def test_a_folder_in_place_of_the_file_is_a_sentence(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:hush@localhost/x", "mysql:// is no database that imagemill knows"),
        ("sqlite:///x.db?mode=ro", "an SQLite address names a file"),
        ("sqlite://", "an SQLite address names a file"),
        ("sqlite:///:memory:", "an SQLite address names a file"),
        ("hush", "the database address cannot be read; write sqlite:///FILE or postgresql://"),
        ("postgresql://me:hush@localhost:port/x", "the database address cannot be read"),
        ("postgresql://me:hush@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql://me:hush@/x?host=/nowhere", "cannot be reached"),
        ("postgresql://me@127.0.0.1:1/x?password=hush", "cannot be reached"),
    ],
)
def test_an_address_that_cannot_work_is_a_sentence_without_its_password(
    url: str, words: str
) -> None:
    sentence = refusal(url)
    assert words in sentence
    assert "hush" not in sentence


def test_a_role_that_the_server_refuses_is_a_sentence(postgres_url: str) -> None:
    url = make_url(postgres_url).set(username="nobody", password="hush")
    sentence = refusal(url.render_as_string(hide_password=False))
    assert "nobody" in sentence
    assert "hush" not in sentence


def test_a_postgresql_database_that_does_not_exist_is_a_sentence(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="not_there").render_as_string(hide_password=False)
    assert '"not_there" does not exist' in refusal(url)


def test_checking_makes_no_file(tmp_path: Path) -> None:
    state = check_schema(f"sqlite:///{tmp_path / 'none.db'}")
    assert (state.current, state.fits) == (None, False)
    assert list(tmp_path.iterdir()) == []
