"""No question that people ask makes the database read a bulk table from end to end."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from pipeline.producer import submit
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.jobs import count_failures, list_open_images
from pipeline.queries.labels import list_labels
from pipeline.queries.results import count_results, list_results
from pipeline.records import Failure, FailureCode, JobSpec, Outcome, Reference, Score
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.database.database import Database
    from pipeline.records import Model

BULK = ("images", "outcomes", "predictions")
IMAGES = 1500

FILTERS = {
    "everything": PredictionFilter(),
    "job": PredictionFilter(job="one"),
    "label in a job": PredictionFilter(job="one", label="label 5"),
    "label": PredictionFilter(label="label 5"),
    "label and score": PredictionFilter(label="label 5", min_score=0.9),
    "label and score in a job": PredictionFilter(job="one", label="label 5", min_score=0.9),
    "score in a job": PredictionFilter(job="one", min_score=0.9),
    "code in a job": PredictionFilter(job="one", code="timeout"),
    "code": PredictionFilter(code="timeout"),
    "failures of a job": PredictionFilter(job="one", failed=True),
    "failures": PredictionFilter(failed=True),
    "answers of a job": PredictionFilter(job="one", failed=False),
    "uri": PredictionFilter(uri="/pictures/77.jpg"),
    "uri in a job": PredictionFilter(job="one", uri="/pictures/77.jpg"),
    "uri with a label": PredictionFilter(uri="/pictures/77.jpg", label="label 7"),
    "start of the uri": PredictionFilter(job="one", uri="/pictures/7*"),
    "custom id": PredictionFilter(custom_id="own-77"),
    "custom id in a job": PredictionFilter(job="one", custom_id="own-77"),
}
#: What SQLite has to use; where nothing is said, the primary key.
SQLITE_INDEXES = {
    "label in a job": "ix_outcomes_job_label (job_id=? AND label_id=?)",
    "label": "ix_outcomes_label (label_id=?)",
    "label and score": "ix_outcomes_label (label_id=? AND score>?)",
    "code in a job": "ix_outcomes_code (job_id=? AND code=?)",
    "code": "ix_outcomes_code",
    "failures of a job": "ix_outcomes_code (job_id=? AND code>?)",
    "failures": "ix_outcomes_code",
    "uri": "ix_images_uri_hash (uri_hash=?",
    "uri in a job": "ix_images_uri_hash (uri_hash=? AND job_id=?",
    "uri with a label": "ix_images_uri_hash (uri_hash=?",
    "custom id": "ix_images_custom_id (custom_id=?",
    "custom id in a job": "ix_images_custom_id (custom_id=? AND job_id=?",
}


def outcome(index: int) -> Outcome:
    if index % 50 == 0:
        return Outcome(index, failure=Failure(FailureCode.TIMEOUT, "too late"))
    scores = (Score(index % 10, (index % 97) / 97), Score((index + 1) % 10, 0.001))
    return Outcome(index, scores)


@pytest.fixture
def answered(database: Database, small_model: Model) -> Database:
    """Two jobs of 1,500 finished images, and PostgreSQL's statistics of them."""
    for name in ("one", "two"):
        spec = JobSpec(name, small_model, {"top_k": 2}, "hash", 64)
        references = (Reference(f"/pictures/{n}.jpg", f"own-{n}") for n in range(IMAGES))
        job_id = submit(database, spec, references)
        with database.transaction() as conn:
            model = save_model(conn, small_model)
            save_outcomes(conn, job_id, model, [outcome(n) for n in range(IMAGES)])
    if database.dialect == "postgresql":
        with database.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))
    return database


def explain(database: Database, read: Callable[[sa.Connection], object]) -> list[Any]:
    """Return the plan of every statement of a read: lines on SQLite, nodes on PostgreSQL."""
    seen: list[tuple[str, Any]] = []
    with database.engine.connect() as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *call: seen.append(call[2:4]))
        read(conn)
        statements = [one for one in seen if one[0].lstrip().startswith("SELECT")]
        if database.dialect == "sqlite":
            return [
                row[-1]
                for statement, values in statements
                for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
        # These tables are small: reading them from end to end would often be right.
        conn.exec_driver_sql("SET enable_seqscan = off")
        plans = [
            conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
            for statement, values in statements
        ]
    return [node for plan in plans for node in nodes_of(plan[0]["Plan"])]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def is_full(node: Any) -> bool:
    """Whether the step reads a bulk table (the index of the few failures apart) to its end."""
    if isinstance(node, str):
        table = node.removeprefix("SCAN ").split(" ")[0]
        return node.startswith("SCAN") and table in BULK and "ix_outcomes_code" not in node
    index = node.get("Index Name")
    is_read = node.get("Relation Name") in BULK or node["Node Type"] == "Bitmap Index Scan"
    if not is_read or index == "ix_outcomes_code" or node["Node Type"] == "Bitmap Heap Scan":
        return False
    return "Index Cond" not in node


def full_reads(database: Database, read: Callable[[sa.Connection], object]) -> list[str]:
    plan = explain(database, read)
    assert plan
    return [json.dumps(node) for node in plan if is_full(node)]


def test_every_page_is_found_by_an_index(answered: Database) -> None:
    for name, wanted in FILTERS.items():
        with answered.reading() as conn:
            first = list_results(conn, wanted, limit=1)
        assert first.rows, name
        for cursor in {None, first.next_cursor}:
            read = partial(list_results, wanted=wanted, limit=20, cursor=cursor)
            assert full_reads(answered, read) == [], name


# PostgreSQL has statistics, and decides for itself.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_finds_what_is_rare_by_its_own_index(answered: Database) -> None:
    for name, wanted in FILTERS.items():
        plan = explain(answered, partial(list_results, wanted=wanted))
        index = SQLITE_INDEXES.get(name, "outcomes USING PRIMARY KEY")
        assert any(index in step for step in plan), (name, plan)


def test_every_number_but_that_of_everything_is_counted_by_an_index(answered: Database) -> None:
    for name, wanted in FILTERS.items():
        if name != "everything":
            assert full_reads(answered, partial(count_results, wanted=wanted)) == [], name


def test_what_a_running_job_asks_for_is_found_by_an_index(answered: Database) -> None:
    assert full_reads(answered, lambda conn: list_open_images(conn, 1, 64, 127)) == []
    assert full_reads(answered, lambda conn: count_failures(conn, 1)) == []
    assert full_reads(answered, lambda conn: list_labels(conn, 1)) == []


@pytest.mark.parametrize(
    "question",
    [
        "SELECT uri FROM images WHERE uri = '/pictures/77.jpg'",
        "SELECT job_id FROM outcomes WHERE width = 7",
        "SELECT job_id FROM predictions WHERE label_id = 7",
    ],
)
def test_the_check_of_plans_sees_a_table_that_is_read_from_end_to_end(
    answered: Database, question: str
) -> None:
    assert full_reads(answered, lambda conn: conn.execute(sa.text(question))) != []
