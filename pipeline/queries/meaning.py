"""The meaning of a filter: what people say, looked up, and put in the terms of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline.queries.filters import check_filter
from pipeline.queries.jobs import get_job_head
from pipeline.queries.keys import KeyQuery
from pipeline.queries.labels import get_label_ids
from pipeline.references import is_storable
from pipeline.storage.rows import uri_hash
from pipeline.tables import images, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.queries.filters import PredictionFilter

    Condition = sa.ColumnElement[bool]


def resolve(conn: sa.Connection, wanted: PredictionFilter) -> KeyQuery:
    """Look up the filter's names; UsageError or JobError for what cannot be meant."""
    check_filter(wanted)
    job = None if wanted.job is None else get_job_head(conn, wanted.job)
    model_id = None if job is None else job.model_id
    label, uri = wanted.label, wanted.uri
    return KeyQuery(
        job_id=None if job is None else job.id,
        label_ids=() if label is None else tuple(get_label_ids(conn, label, model_id)),
        prefix=uri[:-1] if uri is not None and uri.endswith("*") else None,
        on_images=tuple(_speak_of_images(wanted)),
        on_outcomes=tuple(_speak_of_outcomes(wanted)),
    )


def _speak_of_images(wanted: PredictionFilter) -> Iterator[Condition]:
    said = [text for text in (wanted.uri, wanted.custom_id) if text is not None]
    if not all(is_storable(text) for text in said):
        yield sa.false()
        return
    if wanted.custom_id is not None:
        yield images.c.custom_id == wanted.custom_id
    if wanted.uri is not None and not wanted.uri.endswith("*"):
        yield images.c.uri_hash == uri_hash(wanted.uri)
        yield images.c.uri == wanted.uri


def _speak_of_outcomes(wanted: PredictionFilter) -> Iterator[Condition]:
    if wanted.min_score is not None:
        yield outcomes.c.score >= wanted.min_score
    if wanted.max_score is not None:
        yield outcomes.c.score <= wanted.max_score
    if wanted.code is not None:
        yield outcomes.c.code == wanted.code
    elif wanted.failed is not None:
        yield outcomes.c.code.is_not(None) if wanted.failed else outcomes.c.code.is_(None)
