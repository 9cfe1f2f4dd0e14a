"""Two jobs compared: every number as plain Python finds it, on either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from compare_drawn import two_jobs
from compare_jobs import (
    ANIMALS,
    BEASTS,
    FAILED,
    OPEN,
    Said,
    count_plainly,
    make_job,
    pair_plainly,
    tabulate_plainly,
)
from hypothesis import HealthCheck, given, settings

from pipeline import ledger
from pipeline.compare.comparison import Comparison, compare
from pipeline.compare.flips import list_flips
from pipeline.compare.keys import JoinKey
from pipeline.errors import JobError, UsageError
from pipeline.records import JobSpec
from pipeline.storage import rows as storage_rows
from pipeline.storage.rows import create_job, save_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SmallJob

    from pipeline.database.database import Database
    from pipeline.records import Model


def read(database: Database, a: str, b: str, by: JoinKey = JoinKey.URI) -> Comparison:
    with database.reading() as connection:
        return compare(connection, a, b, by)


def assert_as_in_python(database: Database, drawn: tuple[list[Said], list[Said], Model]) -> None:
    a, b, model = drawn
    names = make_job(database, ANIMALS, a), make_job(database, model, b)
    for by in JoinKey:
        pairs = pair_plainly(a, b, by)
        if not pairs:
            with pytest.raises(UsageError, match="share no"):
                read(database, *names, by)
            continue
        found = read(database, *names, by)
        told = found.as_dict()
        wanted = count_plainly(a, b, pairs)
        assert {name: told[name] for name in wanted} == wanted
        flips = [(flip.from_label, flip.to_label, flip.images) for flip in found.flips]
        assert flips == tabulate_plainly(a, b, pairs)


@given(two_jobs())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_every_number_is_what_plain_python_finds(
    database: Database, drawn: tuple[list[Said], list[Said], Model]
) -> None:
    assert_as_in_python(database, drawn)


@given(two_jobs())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_uris_of_one_hash_are_not_one_image(
    database: Database, drawn: tuple[list[Said], list[Said], Model]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage_rows, "uri_hash", lambda _: 7)
        assert_as_in_python(database, drawn)


def test_agreement_and_change_of_score_are_of_the_images_that_both_answered(
    database: Database,
) -> None:
    a = [Said("/1", "cat", 0.5), Said("/2", "dog", 0.9), Said("/3", "cow", 0.4)]
    b = [Said("/1", "cat", 0.75), Said("/2", "dog", 1.0), Said("/3", "bee", 0.4)]
    a, b = [*a, Said("/4", FAILED)], [*b, Said("/4", "cat")]
    make_job(database, ANIMALS, a, "yesterday")
    make_job(database, BEASTS, b, "today")
    found = read(database, "yesterday", "today")
    assert (found.agreed, found.flipped, found.tallies.failed_a) == (2, 1, 1)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.tallies.score_change == pytest.approx((0.25 + 0.1) / 2)
    told = found.as_dict()
    assert told["a"]["job"] == "yesterday"
    assert told["b"]["model"] == "beasts"
    assert told["b"]["precision"] == "fast"
    assert told["flips"] == [{"from_label": "cow", "to_label": "bee", "images": 1}]


def test_no_agreement_is_claimed_where_nothing_is_answered(database: Database) -> None:
    a = make_job(database, ANIMALS, [Said("/1", OPEN), Said("/2", FAILED)])
    b = make_job(database, ANIMALS, [Said("/1", "cat"), Said("/2", "dog")])
    found = read(database, a, b)
    assert found.agreement is None
    assert found.tallies.score_change is None
    assert found.open == 1


def test_a_uri_that_is_there_twice_is_as_many_images_as_the_job_has_that_has_fewer(
    database: Database,
) -> None:
    a = make_job(database, ANIMALS, [Said("/1", "cat"), Said("/1", "cat"), Said("/2", "ant")])
    b = make_job(database, ANIMALS, [Said("/2", "ant"), Said("/1", "dog")])
    found = read(database, a, b)
    # The second /1 has the place of b's; the first is left alone.
    assert (found.images, found.only_a, found.only_b) == (2, 1, 0)
    assert [(f.from_label, f.to_label, f.images) for f in found.flips] == [("cat", "dog", 1)]


def test_a_job_that_runs_is_compared_as_far_as_it_is_and_named(
    database: Database, submit_small: Callable[..., SmallJob], books: Any
) -> None:
    for name, chunks in (("done", 3), ("on its way", 2)):
        small = submit_small(database, name=name)
        for _ in range(chunks):
            claim = books.take(small.id)
            outcomes = books.classified(range(claim.first, claim.last + 1))
            assert ledger.finish(database, claim, small.model, outcomes, books.made)
    ledger.complete(database, 1)
    found = read(database, "done", "on its way")
    assert found.running == ("on its way",)
    assert (found.images, found.agreed, found.open) == (10, 8, 2)


def test_a_job_agrees_with_itself(database: Database) -> None:
    public_id = make_job(database, ANIMALS, [Said("/1", "cat")], "one")
    with pytest.raises(UsageError, match="one agrees with itself; name two jobs"):
        read(database, "one", public_id)


def test_a_job_that_is_not_there_or_half_submitted_is_refused(database: Database) -> None:
    make_job(database, ANIMALS, [Said("/1", "cat")], "one")
    with pytest.raises(JobError, match="no job 'nobody'"):
        read(database, "one", "nobody")
    half = JobSpec("half", ANIMALS, {}, "hash", 4)
    with database.transaction() as connection:
        create_job(connection, half, save_model(connection, ANIMALS).id)
    with pytest.raises(JobError, match="half is still being submitted"):
        read(database, "one", "half")


@pytest.mark.parametrize(
    ("uris", "ids", "by", "sentence"),
    [
        (("/1", "/2"), ("x", "x"), JoinKey.URI, "share no uri, but .* compare them --by custom-id"),
        (("/1", "/1"), ("x", "y"), JoinKey.CUSTOM_ID, "share no custom id, but .* --by uri"),
        (("/1", "/2"), ("x", "y"), JoinKey.URI, "share no uri, so there is nothing to compare"),
        (("/1", "/2"), (None, None), JoinKey.CUSTOM_ID, "so there is nothing to compare"),
    ],
)
def test_jobs_without_a_common_image_are_refused_with_the_key_that_they_have(
    database: Database, uris: Any, ids: Any, by: JoinKey, sentence: str
) -> None:
    for name, uri, own in zip("ab", uris, ids, strict=True):
        make_job(database, ANIMALS, [Said(uri, "cat", custom_id=own)], name)
    with pytest.raises(UsageError, match=sentence):
        read(database, "a", "b", by)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("setting", ["enable_nestloop", "work_mem", "enable_hashjoin"])
def test_what_postgresql_was_told_for_the_join_is_taken_back(
    database: Database, setting: str
) -> None:
    a, b = (make_job(database, ANIMALS, [Said("/1", "cat")]) for _ in range(2))
    with database.reading() as connection:
        before = connection.exec_driver_sql(f"SHOW {setting}").scalar()
        compare(connection, a, b)
        list_flips(connection, a, b)
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == before
