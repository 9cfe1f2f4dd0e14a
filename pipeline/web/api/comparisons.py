"""/api/v1/compare: two jobs over the same images, and the images whose label flips."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from pipeline.compare.flips import list_flips
from pipeline.compare.keys import JoinKey
from pipeline.records import JobStatus, Precision
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.api.jobs import Cursor, Limit
from pipeline.web.context import Here

router = APIRouter(tags=["compare"])
First = Annotated[str, Query(max_length=200, description="The first job (name or id).")]
Second = Annotated[str, Query(max_length=200, description="The second job (name or id).")]
By = Annotated[JoinKey, Query(description="By what their images are joined.")]
_SIDE: dict[str, Any] = {
    "job": "holiday",
    "job_id": "jx3k7q2m5ab",
    "model": "demo",
    "precision": "auto",
    "status": "completed",
    "total": 305,
}
_FLIP_SIDE: dict[str, Any] = {
    "job_id": "jx3k7q2m5ab",
    "index": 17,
    "label": "Samoyed",
    "score": 0.41,
}


class Side(BaseModel):
    """One of the two jobs."""

    job: str
    job_id: str
    model: str
    precision: Precision
    status: JobStatus
    total: int


class Flip(BaseModel):
    """How many images have one label in the first job, and another in the second."""

    from_label: str
    to_label: str
    images: int


class Comparison(BaseModel):
    """What two jobs say of the images that both have; shares and scores are 0 to 1."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "a": _SIDE,
                "b": {**_SIDE, "job": "holiday-fast", "job_id": "k2mx7q3j5cd"},
                "by": "uri",
                "running": [],
                "images": 305,
                "answered": 300,
                "agreed": 297,
                "flipped": 3,
                "agreement": 0.99,
                "score_change": -0.002,
                "failed_a": 0,
                "failed_b": 0,
                "failed_both": 5,
                "open": 0,
                "only_a": 0,
                "only_b": 0,
                "flips": [{"from_label": "Samoyed", "to_label": "Spitz", "images": 3}],
            }
        }
    )
    a: Side
    b: Side
    by: JoinKey
    running: list[str] = Field(description="Jobs that still run: the numbers may change.")
    images: int
    answered: int
    agreed: int
    flipped: int
    agreement: float | None
    score_change: float | None
    failed_a: int
    failed_b: int
    failed_both: int
    open: int
    only_a: int
    only_b: int
    flips: list[Flip]


class FlipSide(BaseModel):
    """What one job says of an image."""

    job_id: str
    index: int
    label: str
    score: float


class FlipRow(BaseModel):
    """An image whose label flips."""

    uri: str
    custom_id: str | None
    a: FlipSide
    b: FlipSide


class Flips(BaseModel):
    """Flipped images, the least certain first; a page may be short, and still have a next one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "flips": [
                    {
                        "uri": "/data/holiday/017.jpg",
                        "custom_id": None,
                        "a": _FLIP_SIDE,
                        "b": {**_FLIP_SIDE, "job_id": "k2mx7q3j5cd", "label": "Spitz"},
                    }
                ],
                "next_cursor": None,
            }
        }
    )
    flips: list[FlipRow]
    next_cursor: str | None


@router.get("/compare", response_model=Comparison, **route(Scope.READ, 404, 409, 422))
def show(context: Here, a: First, b: Second, by: By = JoinKey.URI) -> dict[str, Any]:
    """Compare two jobs: agreement, and label flips from -> to."""
    with context.database.reading() as connection:
        return context.comparisons.get(connection, a, b, by).as_dict()


@router.get("/compare/flips", response_model=Flips, **route(Scope.READ, 404, 409, 422))
def list_(
    context: Here,
    a: First,
    b: Second,
    by: By = JoinKey.URI,
    from_label: Annotated[str | None, Query(max_length=1000)] = None,
    to_label: Annotated[str | None, Query(max_length=1000)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the images whose label flips: all, or those from or to a label."""
    with context.database.reading() as connection:
        page = list_flips(connection, a, b, by, from_label, to_label, limit, cursor)
    return {"flips": [row.as_dict() for row in page.rows], "next_cursor": page.next_cursor}
