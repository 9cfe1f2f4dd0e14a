"""The migrations give the tables' schema, keep rows, and refuse what they do not know."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from migrations.revisions import HEAD, REVISIONS
from pipeline import tables
from pipeline.database.address import read_address
from pipeline.database.connections import make_engine
from pipeline.database.database import Database, check_schema, open_database, upgrade_database
from pipeline.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob

_CONSTRAINTS = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'"
)
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
_COLUMNS = (
    "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public'"
)
_SQLITE = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


def describe(url: str) -> set[tuple[object, ...]]:
    """Return all that the database itself says of its tables, indexes and constraints."""
    engine = make_engine(read_address(url))
    statements = (
        [_SQLITE] if engine.dialect.name == "sqlite" else [_CONSTRAINTS, _INDEXES, _COLUMNS]
    )
    with engine.connect() as connection:
        rows = [row for text in statements for row in connection.execute(sa.text(text))]
    engine.dispose()
    named = [tuple(row) for row in rows if "alembic_version" not in row]
    return {tuple(" ".join(v.split()) if isinstance(v, str) else v for v in row) for row in named}


def make_directly(url: str) -> None:
    engine = make_engine(read_address(url))
    tables.metadata.create_all(engine)
    engine.dispose()


def set_revision(url: str, revision: str) -> None:
    engine = make_engine(read_address(url))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()


def test_the_list_of_revisions_is_the_folder_of_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__ or "").parent))
    walked = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in walked)[::-1] == REVISIONS


# No reflection knows all of an index on an expression; the next two tests compare its text.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_alembic_finds_no_difference_from_the_tables(database: Database) -> None:
    with database.reading() as connection:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda _, name, *__: name != "ix_images_uri",
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_sqlite_is_migrated_to_the_very_text_of_the_tables(sqlite_url: str, tmp_path: Path) -> None:
    direct = f"sqlite:///{tmp_path / 'direct.db'}"
    make_directly(direct)
    assert describe(sqlite_url) == describe(direct)
    assert len(describe(direct)) > len(tables.metadata.tables)


def test_postgresql_is_migrated_to_the_same_catalog_as_the_tables(
    postgres_url: str, database_url: str, empty_postgres_url: str
) -> None:
    if database_url.startswith("sqlite"):
        return
    make_directly(empty_postgres_url)
    assert describe(database_url) == describe(empty_postgres_url)
    assert len(describe(database_url)) > 80


def test_rows_survive_a_second_opening_and_a_second_upgrade(
    database_url: str, submit_small: Callable[..., SmallJob]
) -> None:
    database = open_database(database_url)
    submit_small(database, images=10)
    database.close()
    upgrade_database(database_url)
    database = open_database(database_url)
    with database.reading() as connection:
        assert len(connection.execute(sa.select(tables.images)).all()) == 10
    database.close()
    state = check_schema(database_url)
    assert (state.current, state.head, state.fits) == (HEAD, HEAD, True)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    open_database(f"sqlite:///{path}").close()
    assert check_schema(f"sqlite:///{path}").fits


def test_opening_a_database_that_fits_imports_no_alembic(sqlite_url: str) -> None:
    code = (
        "import sys; from pipeline.database.database import open_database;"
        f"open_database({sqlite_url!r}).close(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_two_processes_may_open_a_fresh_file_at_once(tmp_path: Path) -> None:
    # Each says when it is ready to go, so that they race for the upgrade and not for the import.
    code = (
        "import sys, alembic.command; from pipeline.database.database import open_database;"
        "print('ready', flush=True); sys.stdin.readline();"
        "database = open_database(sys.argv[1]); connection = database.engine.connect();"
        "print(connection.exec_driver_sql('PRAGMA journal_mode').scalar());"
        "connection.close(); database.close()"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'fresh.db'}"]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert [racer.communicate(timeout=60)[0] for racer in racers] == ["wal\n"] * 4
    assert [racer.returncode for racer in racers] == [0] * 4


def test_two_upgrades_of_postgresql_at_once_both_succeed(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade_database, [empty_postgres_url] * 3))
    assert check_schema(empty_postgres_url).fits


def test_postgresql_without_tables_asks_for_the_upgrade(empty_postgres_url: str) -> None:
    with pytest.raises(DatabaseError, match="no imagemill tables yet; run `imagemill db upgrade`"):
        open_database(empty_postgres_url)
    assert check_schema(empty_postgres_url).current is None


def test_an_older_postgresql_asks_for_the_upgrade(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        return
    monkeypatch.setattr("migrations.revisions.REVISIONS", ("0000", *REVISIONS))
    set_revision(database_url, "0000")
    with pytest.raises(DatabaseError, match="has an older schema; run `imagemill db upgrade`"):
        open_database(database_url)


@pytest.mark.parametrize("act", [open_database, upgrade_database])
def test_a_database_newer_than_the_code_is_refused(
    database_url: str, act: Callable[[str], object]
) -> None:
    set_revision(database_url, "9999")
    with pytest.raises(DatabaseError, match=r"newer imagemill .*9999.* install that version"):
        act(database_url)
    assert check_schema(database_url).current == "9999"


def test_a_file_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "browser.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE history (url TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="holds the tables of another program"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["browser.db"]


def test_an_upgrade_that_fails_leaves_nothing_behind(empty_postgres_url: str) -> None:
    engine = make_engine(read_address(empty_postgres_url))
    with engine.begin() as connection:
        # The last table of the first revision is there already, and somebody else's.
        connection.execute(sa.text("CREATE TABLE predictions (weather TEXT)"))
    with pytest.raises(DatabaseError, match='"predictions" already exists'):
        upgrade_database(empty_postgres_url)
    assert sa.inspect(engine).get_table_names() == ["predictions"]
    engine.dispose()


def test_an_upgrade_that_dies_leaves_an_empty_file_that_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'imagemill.db'}"
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", lambda *_, **__: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            open_database(url)
    assert check_schema(url).current is None
    open_database(url).close()
    assert check_schema(url).fits
