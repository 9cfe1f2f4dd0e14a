"""The questions to the database about what is known, in SQL that goes from index to index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline import tables

if TYPE_CHECKING:
    from typing import Any

#: Images with the same bytes of which one must have predictions enough, or none of them counts.
_LOOKED_AT: sa.ColumnElement[int] = sa.literal_column("100")
#: Written out, like the limits: SQLAlchemy would give SQLite a parameter of its own for it.
_NONE: sa.ColumnElement[int] = sa.literal_column("0")
_ONE: sa.ColumnElement[int] = sa.literal_column("1")

_job, _image, _outcome = tables.jobs.c, tables.images.c, tables.outcomes.c
_prediction, _label = tables.predictions.c, tables.labels.c


def same_bytes() -> sa.Select[Any]:
    """Return the question for the answer to bytes: rows ``index, score``, the best first.

    Parameters: ``digest`` (SHA-256), ``model_id``, ``needed`` predictions.
    """
    seen = (
        sa.select(_outcome.job_id, _outcome.index)
        .where(
            _outcome.sha256 == sa.bindparam("digest"),
            _outcome.model_id == sa.bindparam("model_id"),
            _outcome.code.is_(None),
        )
        .limit(_LOOKED_AT)
        .offset(_NONE)
        .subquery("seen")
    )
    enough = sa.select(seen).where(_has_rank(seen.c.job_id, seen.c.index))
    one = enough.limit(_ONE).offset(_NONE).subquery("one")
    same = (_prediction.job_id == one.c.job_id, _prediction.index == one.c.index)
    return (
        sa.select(_label.index, _prediction.score)
        .select_from(one)
        .join(tables.predictions, sa.and_(*same))
        .join(tables.labels, _label.id == _prediction.label_id)
        .where(_prediction.rank <= sa.bindparam("needed", type_=sa.Integer))
        .order_by(_prediction.rank)
    )


def class_count() -> sa.Select[Any]:
    """Return the question how many classes the model ``model_id`` has."""
    counted = sa.select(sa.func.count()).select_from(tables.labels)
    return counted.where(_label.model_id == sa.bindparam("model_id"))


def same_uris(dialect: str) -> sa.Select[Any]:
    """Return the question what was seen of images by their uris: rows ``position, facts``.

    Parameters: those of ``wanted_uris``, ``model_id``, ``needed`` predictions. ``facts`` is a
    line ``size version`` for each outcome with predictions enough.
    """
    position, uri_hash, uri = _wanted(dialect)
    facts = sa.func.aggregate_strings(_facts(), "\n")
    same = (_image.uri_hash == uri_hash, _image.uri == uri)
    return sa.select(position, sa.select(facts).where(*same).scalar_subquery())


def wanted_uris(dialect: str, hashes: list[int], uris: list[str]) -> dict[str, Any]:
    """Return the parameters of ``same_uris`` that say which uris are meant."""
    if dialect == "postgresql":
        return {"hashes": hashes, "uris": uris}
    return {"wanted": list(zip(hashes, uris, strict=True))}


def _wanted(dialect: str) -> tuple[sa.ColumnElement[Any], ...]:
    """Return position, hash and uri of the wanted: positions count from 0, or from 1."""
    if dialect == "postgresql":
        hashes = sa.bindparam("hashes", type_=postgresql.ARRAY(sa.BigInteger))
        uris = sa.bindparam("uris", type_=postgresql.ARRAY(sa.Text))
        rows = sa.func.unnest(hashes, uris).table_valued(
            sa.column("uri_hash", sa.BigInteger),
            sa.column("uri", sa.Text),
            with_ordinality="position",
            name="wanted",
        )
        wanted = rows.render_derived()
        return wanted.c.position, wanted.c.uri_hash, wanted.c.uri
    listed = sa.bindparam("wanted", type_=sqlite.JSON())
    each = sa.func.json_each(listed).table_valued("key", "value", name="wanted")
    uri_hash, uri = (sa.func.json_extract(each.c.value, f"$[{n}]") for n in (0, 1))
    return each.c.key + 1, uri_hash, uri


def _facts() -> sa.ScalarSelect[str | None]:
    """Return ``size version`` of an image's outcome; NULL: it has no answer of this model."""
    submitted = sa.select(_job.id).where(_job.id == _image.job_id, _job.submitted_at.is_not(None))
    return (
        sa.select(sa.cast(_outcome.size, sa.Text) + " " + _outcome.version)
        .where(
            _outcome.job_id == _image.job_id,
            _outcome.index == _image.index,
            _outcome.model_id == sa.bindparam("model_id"),
            _outcome.code.is_(None),
            _has_rank(_outcome.job_id, _outcome.index),
            # A job that is being deleted is not submitted any more.
            submitted.correlate(tables.images).scalar_subquery().is_not(None),
        )
        .correlate(tables.images)
        .scalar_subquery()
    )


def _has_rank(job_id: Any, index: Any) -> sa.ColumnElement[bool]:
    """Return the condition that an image has ``needed`` predictions, and so all before."""
    same = (_prediction.job_id == job_id, _prediction.index == index)
    needed = sa.bindparam("needed", type_=sa.Integer)
    # Compared, not EXISTS: PostgreSQL would make a join of that, and might read the whole table.
    found = sa.select(_prediction.rank).where(*same, _prediction.rank == needed)
    return found.correlate_except(tables.predictions).scalar_subquery().is_not(None)
