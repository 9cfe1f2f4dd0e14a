"""/api/v1/predictions, and the failures, labels and scores of a job."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from pipeline.queries.filters import PredictionFilter
from pipeline.queries.histograms import get_label_histogram, get_score_histogram
from pipeline.queries.jobs import get_job
from pipeline.queries.orders import Order
from pipeline.queries.results import count_results, list_results
from pipeline.queries.tallies import count_by_code
from pipeline.records import FailureCode
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.api.jobs import Cursor, JobKey, Limit
from pipeline.web.api.prediction_models import (
    Count,
    Failures,
    LabelHistogram,
    ResultPage,
    ScoreHistogram,
)
from pipeline.web.context import Here
from pipeline.web.filters import Wanted

router = APIRouter(tags=["predictions"])
Sort = Annotated[Order, Query(description="An order by score needs a job.")]


@router.get("/predictions", response_model=ResultPage, **route(Scope.READ, 404, 422))
def list_(
    context: Here,
    wanted: Wanted,
    sort: Sort = Order.INDEX,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List finished images with their predictions, or why they failed."""
    with context.database.reading() as connection:
        page = list_results(connection, wanted, limit, cursor, sort)
    rows = [row.as_dict() for row in page.rows]
    return {"predictions": rows, "next_cursor": page.next_cursor}


@router.get("/predictions/count", response_model=Count, **route(Scope.READ, 404, 422))
def count(context: Here, wanted: Wanted) -> dict[str, int]:
    """Count the finished images that match."""
    with context.database.reading() as connection:
        return {"count": count_results(connection, wanted)}


@router.get("/jobs/{job}/failures", response_model=Failures, **route(Scope.READ, 404, 422))
def list_failures(
    context: Here,
    job: JobKey,
    code: FailureCode | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the failed images of a job, and count its failures by code."""
    wanted = PredictionFilter(job=job, code=code, failed=True)
    with context.database.reading() as connection:
        found = get_job(connection, job)
        page = list_results(connection, wanted, limit, cursor)
        failures = count_by_code(connection, found)
    rows = [row.as_dict() for row in page.rows]
    return {"failures": failures, "images": rows, "next_cursor": page.next_cursor}


@router.get("/jobs/{job}/labels", response_model=LabelHistogram, **route(Scope.READ, 404, 422))
def show_labels(context: Here, job: JobKey) -> dict[str, Any]:
    """Show a job's images by label."""
    with context.database.reading() as connection:
        return asdict(get_label_histogram(connection, get_job(connection, job)))


@router.get("/jobs/{job}/scores", response_model=ScoreHistogram, **route(Scope.READ, 404, 422))
def show_scores(context: Here, job: JobKey) -> dict[str, Any]:
    """Show a job's images by the score of rank 1."""
    with context.database.reading() as connection:
        return asdict(get_score_histogram(connection, get_job(connection, job)))
