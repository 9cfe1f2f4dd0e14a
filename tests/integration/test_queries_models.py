"""Models and their labels, with the images of a job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from answered_jobs import answer_jobs

from pipeline.errors import JobError, UsageError
from pipeline.queries.models import ModelLabel, list_model_labels, list_models
from pipeline.records import Precision
from pipeline.storage.rows import save_model

if TYPE_CHECKING:
    from pipeline.database.database import Database
    from pipeline.records import Model


@pytest.fixture
def answered(database: Database, small_model: Model) -> Database:
    """Two jobs of two models."""
    return answer_jobs(database, small_model)


def test_models_are_listed_newest_first_in_pages(answered: Database, small_model: Model) -> None:
    fresh = replace(small_model, name="fresh", precision=Precision.FAST, labels=("cat", "dog"))
    with answered.transaction() as conn:
        save_model(conn, fresh)
    with answered.reading() as conn:
        newest, *others = list_models(conn)
        assert list_models(conn, limit=1) == [newest]
        assert list_models(conn, before=newest.id) == others
        with pytest.raises(UsageError, match="a limit of at least 1"):
            list_models(conn, limit=0)
    assert (newest.name, newest.precision, newest.preprocessing) == ("fresh", Precision.FAST, "1")
    assert (newest.sha256, newest.labels, newest.jobs) == (small_model.sha256, 2, 0)
    assert [(one.name, one.labels, one.jobs) for one in others] == [("small", 10, 1)] * 2
    assert newest.created_at.utcoffset() is not None


def test_the_labels_of_a_model_come_by_index_with_the_images_of_a_job_if_asked(
    answered: Database, small_model: Model
) -> None:
    with answered.reading() as conn:
        plain, counted = list_model_labels(conn, 1), list_model_labels(conn, 1, 1)
    assert plain == [ModelLabel(name, n, None) for n, name in enumerate(small_model.labels)]
    # One image of fifty failed, and all those would have had label 0.
    assert [one.images for one in counted] == [120, *[150] * 9]
    assert [replace(one, images=None) for one in counted] == plain


def test_a_label_that_no_image_has_counts_none(database: Database, submit_small: object) -> None:
    submit_small(database)  # type: ignore[operator]
    with database.reading() as conn:
        assert {one.images for one in list_model_labels(conn, 1, 1)} == {0}


def test_a_model_that_is_not_there_or_not_the_jobs_is_refused_in_one_sentence(
    answered: Database,
) -> None:
    with answered.reading() as conn:
        for number in (3, 0, -1, 2**31, 10**20):
            with pytest.raises(UsageError, match=f"^no model has the number {number}; ask for"):
                list_model_labels(conn, number)
        with pytest.raises(UsageError, match="the job 'two' has the model with the number 2"):
            list_model_labels(conn, 1, 2)
        with pytest.raises(JobError, match="job number 7 is gone"):
            list_model_labels(conn, 1, 7)
