"""A page of flips costs what it looks at; a comparison reads both jobs, and nothing else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from compare_jobs import ANIMALS, BEASTS, Said, make_job
from plans import explain, full_steps

from pipeline.compare import flips
from pipeline.compare.candidates import Walk, find_end, read_candidates
from pipeline.compare.comparison import compare
from pipeline.compare.cursors import START, Place, read_cursor
from pipeline.compare.flips import list_flips
from pipeline.compare.keys import JoinKey

if TYPE_CHECKING:
    from plans import Plan

    from pipeline.database.database import Database

IMAGES = 1500
PAGES: dict[str, dict[str, Any]] = {
    "all": {},
    "from": {"from_label": "cat"},
    "to": {"to_label": "dog"},
    "both": {"from_label": "cat", "to_label": "dog"},
    "by custom id": {"by": JoinKey.CUSTOM_ID},
}
#: The index that a walk goes by, in its order.
WALKS = {None: "ix_outcomes_score", 1: "ix_outcomes_job_label"}


def said(shift: int) -> list[Said]:
    words = ("cat", "dog", "cow")
    return [
        Said(f"/{n + shift}", words[(n + n % 7 * shift) % 3], (n % 97) / 97, f"own-{n + shift}")
        for n in range(IMAGES)
    ]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece is a small part of a table: of these small ones, too."""
    monkeypatch.setattr(flips, "_FIRST_PIECE", 10)
    monkeypatch.setattr(flips, "_LAST_PIECE", 20)
    monkeypatch.setattr(flips, "LOOKED_AT", 50)


@pytest.fixture
def compared(database: Database) -> Database:
    """The jobs ``one`` and ``same`` with equal places, and ``moved`` with others."""
    make_job(database, ANIMALS, said(0), "one")
    make_job(database, BEASTS, said(0), "same")
    make_job(database, BEASTS, said(1), "moved")
    if database.dialect == "postgresql":
        with database.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))
    return database


def plan(database: Database, read: Any) -> list[Plan]:
    return explain(database, lambda: database.attempt(read, write=False))


@pytest.mark.parametrize("other", ["same", "moved"])
def test_every_page_of_flips_is_found_by_indexes(compared: Database, other: str) -> None:
    for name, wanted in PAGES.items():
        read = partial(list_flips, a="one", b=other, limit=5, **wanted)
        assert full_steps(plan(compared, read)) == [], name


@pytest.mark.parametrize("after", [START, Place(0.5, 700)])
@pytest.mark.parametrize("label_id", [None, 1])
def test_a_walk_goes_by_an_index_in_order(
    compared: Database, after: Place, label_id: int | None
) -> None:
    walk = Walk(1, 2, JoinKey.URI, label_id)
    (end,) = plan(compared, partial(find_end, walk=walk, after=after, piece=50))
    assert end.indexes("outcomes") == {WALKS[label_id]}
    assert not end.sorts
    (found,) = plan(compared, partial(read_candidates, walk=walk, after=after, piece=50))
    # The images and the answers of the other job are looked up one by one, by their keys.
    assert found.indexes("outcomes") == {WALKS[label_id], "pk_outcomes"}


def test_a_page_looks_at_no_more_images_than_it_says(compared: Database) -> None:
    make_job(compared, ANIMALS, said(0), "again")
    with compared.reading() as connection:
        page = list_flips(connection, "one", "again", limit=5)
        assert page.rows == []
        assert page.next_cursor is not None
        # Pieces of 10, 20 and 20 images.
        fiftieth = sa.text(
            'SELECT score, "index" FROM outcomes WHERE job_id = 1'
            ' ORDER BY score, "index" LIMIT 1 OFFSET 49'
        )
        last = Place(*connection.execute(fiftieth).one())
    assert read_cursor(page.next_cursor, 1, 4) == last


@pytest.mark.parametrize("other", ["same", "moved"])
@pytest.mark.parametrize("by", list(JoinKey))
def test_a_comparison_reads_its_two_jobs_by_their_keys(
    compared: Database, other: str, by: JoinKey
) -> None:
    found = plan(compared, partial(compare, a="one", b=other, by=by))
    assert full_steps(found) == []
    read = [step for one in found for step in one.steps if step.table in ("images", "outcomes")]
    assert {step.table for step in read} == {"images", "outcomes"}
    if compared.dialect == "sqlite":
        # In their order: by another index it would jump about in the other job.
        assert {step.index for step in read} == {"pk_images", "pk_outcomes"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("other", ["same", "late"])
def test_of_jobs_that_the_statistics_do_not_know_no_page_reads_a_whole_one(
    compared: Database, other: str
) -> None:
    make_job(compared, ANIMALS, said(1), "late")
    make_job(compared, ANIMALS, said(0), "later")
    found = plan(compared, partial(list_flips, a="later", b=other, limit=5))
    bulk = [step for one in found for step in one.steps if step.table in ("images", "outcomes")]
    assert bulk
    for step in bulk:
        one_by_one = "(index = " in step.condition or step.index == "ix_images_uri_hash"
        assert one_by_one or step.index == "ix_outcomes_score", step


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("other", ["same", "late"])
def test_of_jobs_that_the_statistics_do_not_know_none_is_read_for_every_image_of_the_other(
    compared: Database, other: str
) -> None:
    make_job(compared, ANIMALS, said(1), "late")
    make_job(compared, ANIMALS, said(0), "later")
    asked: list[str] = []

    def note(*call: Any) -> None:
        asked.append(call[2])

    sa.event.listen(compared.engine, "before_cursor_execute", note)
    with compared.reading() as connection:
        compare(connection, "later", other)
    joins = [n for n, text in enumerate(asked) if "outcomes_b" in text or "SELECT sum(" in text]
    off, on = (n for n, text in enumerate(asked) if "SET LOCAL enable_nestloop" in text)
    assert len(joins) == 2
    assert all(off < n < on for n in joins)
