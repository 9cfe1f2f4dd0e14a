"""How long a comparison of two big jobs takes, and a page of flips.

    .venv/bin/python benchmarks/compare.py [--images 1000000] [--shift] [--only postgresql]

Makes two jobs over the same images by SQL, on a PostgreSQL of its own and on SQLite: of every
hundred images three are flipped (more where the first job is uncertain), and one has failed. With
``--shift`` the second job begins one image later, so that no image has the same place in both.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from servers import open_postgres, print_table

from pipeline.compare.comparison import compare
from pipeline.compare.cursors import Place, write_cursor
from pipeline.compare.flips import list_flips
from pipeline.database.database import Database, open_database
from pipeline.records import Dispatch, JobSpec, Model, Precision
from pipeline.storage.rows import create_job, mark_submitted, save_model

LABELS = 1000
#: The rows are thrown away, so none has to reach the disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "maintenance_work_mem": "256MB"}
_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(0, :size - 1) made(n)",
    "sqlite": "WITH RECURSIVE made(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM made"
    " WHERE n < :size - 1) SELECT n FROM made",
}
_IMAGES = """
INSERT INTO images SELECT :job, n, '/data/shop/holiday pictures/' || (n + :shift) || '.jpg',
    CAST(n + :shift AS BIGINT) * 7919 % 10000019 * 922337203, 'sku-' || (n + :shift)
FROM ({numbers}) numbers"""
#: ``drawn`` is a number from 0 to 9999 that belongs to the image, whatever its place.
_OUTCOMES = """
INSERT INTO outcomes (job_id, "index", model_id, label_id, score, code)
SELECT :job, n, :model,
    CASE WHEN drawn % 100 < 99 THEN :first + (drawn + CASE WHEN drawn % 3333 < :flipped
        THEN 1 ELSE 0 END) % 1000 END,
    CASE WHEN drawn % 100 < 99 THEN (drawn % 3333 + n % 1000 / 1000.0) / 3334 END,
    CASE WHEN drawn % 100 >= 99 THEN 'timeout' END
FROM (SELECT n, CAST(n + :shift AS BIGINT) * 7919 % 10007 AS drawn FROM ({numbers}) numbers) made"""


def main() -> None:
    options = read_options()
    rows = []
    for opened in (on_postgresql, on_sqlite):
        if options.only in opened.__name__:
            with opened() as database:
                for number in (0, 1):
                    make_job(database, number, options.images, options.shift * number)
                analyze(database)
                rows += [[database.dialect, *told] for told in measure(database, options.images)]
    print_table(["database", "what", "s", "first time, s"], rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.images:,} images in each job; this process took {peak:,.0f} MiB at most")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--shift", action="store_true", help="no image has the same place")
    parser.add_argument("--only", default="", help="only the database with this in its name")
    return parser.parse_args()


@contextmanager
def on_postgresql() -> Iterator[Database]:
    with open_postgres(**_SETTINGS) as server:
        database = open_database(server.url)
        yield database
        database.close()


@contextmanager
def on_sqlite() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'imagemill.db'}")
        yield database
        database.close()


def make_job(database: Database, number: int, size: int, shift: int) -> None:
    precision = Precision.FAST if number else Precision.AUTO
    model = Model("made", "5a" * 32, precision, "1", tuple(f"label {n}" for n in range(LABELS)))
    spec = JobSpec(f"job-{number}", model, {"top_k": 1}, "hash", 256, Dispatch.LOCAL)
    with database.transaction() as connection:
        stored = save_model(connection, model)
        job_id = create_job(connection, spec, stored.id)
        mark_submitted(connection, job_id, size)
        values = {"job": job_id, "size": size, "shift": shift, "model": stored.id}
        values |= {"first": stored.label_ids[0], "flipped": 100 * number}
        for statement in (_IMAGES, _OUTCOMES):
            made = statement.format(numbers=_NUMBERS[database.dialect])
            connection.execute(sa.text(made), values)
        connection.execute(sa.text("UPDATE jobs SET status = 'completed'"))


def analyze(database: Database) -> None:
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("VACUUM (ANALYZE, FREEZE)"))


def measure(database: Database, size: int) -> Iterator[list[str]]:
    deep = write_cursor(1, 2, Place(0.5, size // 2))
    reads: dict[str, Callable[[sa.Connection], object]] = {
        "compare": lambda conn: compare(conn, "job-0", "job-1"),
        "first page of flips": lambda conn: list_flips(conn, "job-0", "job-1"),
        "page without a flip": lambda conn: list_flips(conn, "job-0", "job-1", cursor=deep),
        "page from a label": lambda conn: list_flips(conn, "job-0", "job-1", from_label="label 7"),
        "page to a label": lambda conn: list_flips(conn, "job-0", "job-1", to_label="label 7"),
    }
    for name, read in reads.items():
        first, *times = (time_read(database, read) for _ in range(2 if name == "compare" else 6))
        yield [name, f"{min(times):.3f}", f"{first:.3f}"]


def time_read(database: Database, read: Callable[[sa.Connection], object]) -> float:
    with database.reading() as connection:
        started = time.perf_counter()
        read(connection)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
