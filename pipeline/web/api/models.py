"""/api/v1/models: what classified the images, and the labels that it knows."""

from dataclasses import asdict
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from pipeline import tables
from pipeline.queries.jobs import get_job
from pipeline.queries.models import list_model_labels, list_models
from pipeline.records import Precision
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.api.job_models import Moment
from pipeline.web.api.jobs import Limit
from pipeline.web.context import Here
from pipeline.web.problems import Problem

router = APIRouter(tags=["models"])
ModelId = Annotated[int, Path(ge=1, lt=2**31, alias="id", description="The model's number.")]
_MODEL: dict[str, Any] = {
    "id": 1,
    "name": "demo",
    "sha256": "5a" * 32,
    "precision": "auto",
    "preprocessing": "1",
    "labels": 12,
    "jobs": 3,
    "created_at": "2026-11-28T09:30:00+00:00",
}


class Model(BaseModel):
    """A model: how many labels it knows, and how many jobs went through it."""

    model_config = ConfigDict(json_schema_extra={"example": _MODEL})
    id: int
    name: str
    sha256: str
    precision: Precision
    preprocessing: str
    labels: int
    jobs: int
    created_at: Moment


class Models(BaseModel):
    """Models, the newest first; ``next_before`` asks for the next page."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"models": [_MODEL], "next_before": None}}
    )
    models: list[Model]
    next_before: int | None


class ModelLabel(BaseModel):
    """A label, and how many images of the job have it; null: no job was asked for."""

    label: str
    index: int
    images: int | None


class ModelLabels(BaseModel):
    """The labels of a model by index."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"labels": [{"label": "Samoyed", "index": 258, "images": 200}]}
        }
    )
    labels: list[ModelLabel]


@router.get("/models", response_model=Models, **route(Scope.READ, 422))
def list_(
    context: Here,
    limit: Limit = 100,
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> dict[str, Any]:
    """List the models, newest first."""
    with context.database.reading() as connection:
        found = list_models(connection, limit + 1, before)
    shown = [asdict(one) | {"created_at": one.created_at.isoformat()} for one in found[:limit]]
    return {"models": shown, "next_before": found[limit - 1].id if len(found) > limit else None}


@router.get("/models/{id}/labels", response_model=ModelLabels, **route(Scope.READ, 404, 422))
def list_labels(
    context: Here,
    model_id: ModelId,
    job: Annotated[
        str | None, Query(max_length=200, description="Count the images of this job.")
    ] = None,
) -> dict[str, Any]:
    """List the labels of a model; with a job also how many of its images have each."""
    with context.database.reading() as connection:
        known = sa.select(tables.models.c.id).where(tables.models.c.id == model_id)
        if connection.scalar(known) is None:
            raise Problem(404, "no_such_model", "no model has this number; list the models")
        job_id = None if job is None else get_job(connection, job).id
        found = list_model_labels(connection, model_id, job_id)
    return {"labels": [asdict(one) for one in found]}
