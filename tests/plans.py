"""The plans of statements: which index each step of them uses, on either database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline.database.database import Database

#: Tables that no question may read from end to end.
BULK = ("images", "chunks", "outcomes", "predictions")
#: Indexes of few rows, whatever the size of a job: they may be read whole.
FEW = ("ix_outcomes_code", "ix_outcomes_failed", "ix_chunks_sent", "ix_chunks_lease")
#: Under which names our statements read a table a second time.
_ALIASES = {
    "waiting": "chunks",
    "unsent": "chunks",
    "last": "images",
    **dict.fromkeys(("images_a", "images_b", "mine", "theirs"), "images"),
    **dict.fromkeys(("outcomes_a", "outcomes_b"), "outcomes"),
}
_SQLITE = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX )?(PRIMARY KEY|\w+))?")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a plan that reads a table; ``condition`` is what bounds it: "" is no bound."""

    table: str
    index: str
    condition: str

    @property
    def is_full(self) -> bool:
        """Whether it reads a bulk table, or a whole index of it, from end to end."""
        return self.table in BULK and not self.condition and self.index not in FEW


@dataclass(frozen=True, slots=True)
class Plan:
    """How a statement is carried out; ``sorts``: it has to sort what it found."""

    statement: str
    steps: tuple[Step, ...]
    sorts: bool

    def indexes(self, table: str) -> set[str]:
        """Return the indexes by which it reads a table; ``pk_...`` is its key."""
        return {step.index for step in self.steps if step.table == table}


def explain(database: Database, act: Callable[[], object]) -> list[Plan]:
    """Return the plan of every statement that ``act()`` runs by the database."""
    seen: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        seen.append((call[2].strip(), call[3]))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            # These tables are small: reading them from end to end would often be right.
            connection.exec_driver_sql("SET enable_seqscan = off")
        read = _read_sqlite if database.dialect == "sqlite" else _read_postgresql
        chosen = (one for one in seen if one[0].startswith(("SELECT", "UPDATE", "DELETE", "WITH")))
        return [read(connection, *one) for one in chosen]


def full_steps(plans: list[Plan]) -> list[tuple[str, Step]]:
    """Return the steps that read a bulk table from end to end; there must be a plan at all."""
    assert plans
    return [(plan.statement, step) for plan in plans for step in plan.steps if step.is_full]


def _read_sqlite(connection: sa.Connection, statement: str, values: Any) -> Plan:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    lines = [row[-1] for row in rows]
    found = [(line, match) for line in lines if (match := _SQLITE.match(line))]
    named = [(line, match, _ALIASES.get(match[2], match[2])) for line, match in found]
    steps = (
        Step(
            table,
            f"pk_{table}" if match[3] == "PRIMARY KEY" else match[3] or "",
            line[match.end() :].strip() if match[1] == "SEARCH" else "",
        )
        for line, match, table in named
    )
    return Plan(statement, tuple(steps), any("TEMP B-TREE" in line for line in lines))


def _read_postgresql(connection: sa.Connection, statement: str, values: Any) -> Plan:
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    nodes = list(_walk(plan[0]["Plan"]))
    steps = (
        Step(node["Relation Name"], node.get("Index Name", ""), node.get("Index Cond", ""))
        for node in nodes
        if "Relation Name" in node and node["Node Type"] != "ModifyTable"
    )
    return Plan(statement, tuple(steps), any(node["Node Type"] == "Sort" for node in nodes))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    children = node.get("Plans", [])
    if node["Node Type"] == "Bitmap Heap Scan":
        # One step: the table is named above, the index below.
        below = next(_find_index(child) for child in children)
        node = {
            **node,
            "Index Name": below["Index Name"],
            "Index Cond": below.get("Index Cond", ""),
        }
        children = []
    yield node
    for child in children:
        yield from _walk(child)


def _find_index(node: dict[str, Any]) -> dict[str, Any]:
    while "Index Name" not in node:
        node = node["Plans"][0]
    return node
