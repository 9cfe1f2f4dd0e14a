"""The checker: whether the database holds what was submitted, once each, and the right answers.

Plain SQL over the tables, and none of the product's own reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from storm.rules import RULES
from storm.workload import PlannedJob

#: Rows that are shown of what breaks a rule.
_SHOWN = 3
_TABLES = """
CREATE TEMP TABLE wanted (job text, priority text, uri text, custom_id text);
CREATE TEMP TABLE known (uri text PRIMARY KEY, code text);
CREATE TEMP TABLE known_scores (uri text, rank int, label text, score double precision,
                                PRIMARY KEY (uri, rank));
"""
_READ = """
SELECT uri, code, array_remove(array_agg(label ORDER BY rank), NULL),
       array_remove(array_agg(p.score ORDER BY rank), NULL)
FROM jobs JOIN images i ON i.job_id = jobs.id
JOIN outcomes o ON o.job_id = jobs.id AND o.index = i.index
LEFT JOIN predictions p ON p.job_id = jobs.id AND p.index = i.index
LEFT JOIN labels l ON l.id = p.label_id
WHERE name = %s GROUP BY uri, code
"""


class Answer(NamedTuple):
    """What was said of a uri: a failure's code, or labels and scores in the order of rank."""

    code: str | None
    scores: tuple[tuple[str, float], ...]


def read_answers(url: str, job: str) -> dict[str, Answer]:
    """Return what is stored of a job that has each uri once."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_READ, [job]).fetchall()
    return {
        uri: Answer(code, tuple(zip(labels, scores, strict=True)))
        for uri, code, labels, scores in rows
    }


def check(url: str, jobs: Sequence[PlannedJob], answers: Mapping[str, Answer]) -> list[str]:
    """Return what is wrong in the database, a sentence for each rule that is broken.

    ``jobs`` are all that were submitted, ``answers`` those of an undisturbed worker by uri.
    """
    with psycopg.connect(url) as connection:
        return look(connection, jobs, answers)


def look(
    connection: psycopg.Connection[Any],
    jobs: Sequence[PlannedJob],
    answers: Mapping[str, Answer],
) -> list[str]:
    """Do what ``check`` does, in the transaction of a connection."""
    connection.execute(_TABLES)
    _fill(connection, "wanted", _wanted_rows(jobs))
    _fill(connection, "known", ((uri, one.code) for uri, one in answers.items()))
    _fill(connection, "known_scores", _score_rows(answers))
    connection.execute("ANALYZE")
    findings = [_ask(connection, what, query) for what, query in RULES.items()]
    return [finding for finding in findings if finding]


def _wanted_rows(jobs: Sequence[PlannedJob]) -> Iterable[tuple[Any, ...]]:
    return ((job.name, job.priority, *one) for job in jobs for one in job.wanted)


def _score_rows(answers: Mapping[str, Answer]) -> Iterable[tuple[Any, ...]]:
    return (
        (uri, rank, label, score)
        for uri, one in answers.items()
        for rank, (label, score) in enumerate(one.scores, 1)
    )


def _fill(connection: psycopg.Connection[Any], table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _ask(connection: psycopg.Connection[Any], what: str, query: str) -> str | None:
    rows = connection.execute(f"SELECT count(*) OVER (), * FROM ({query}) AS broken".encode())
    found = rows.fetchmany(_SHOWN)
    if not found:
        return None
    shown = "; ".join(str(row[1:]) for row in found)
    return f"{found[0][0]:,} times {what}: {shown}"
