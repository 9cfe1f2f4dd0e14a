"""/api/v1/jobs: list, show, cancel, resume, retry and delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import UsageError
from pipeline.queries.jobs import get_job, list_jobs
from pipeline.records import FailureCode
from pipeline.tokens.scopes import Scope
from pipeline.web import actions
from pipeline.web.api.bodies import json_body
from pipeline.web.api.documents import route, takes_json
from pipeline.web.api.job_models import ChangedJob, DeletedJob, JobDetails, JobPage
from pipeline.web.context import Here
from pipeline.web.job_pages import job_details, job_summary

router = APIRouter(tags=["jobs"])
JobKey = Annotated[str, Path(description="The job's id or its name.", examples=["holiday"])]
Limit = Annotated[int, Query(ge=1, le=1000, description="So many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="Where a page ended: its `next_cursor`."),
]


class RetryBody(BaseModel):
    """Which failures are run again; none named: all."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"codes": ["timeout", "http_5xx"]}}
    )
    codes: list[FailureCode] | None = Field(default=None, min_length=1, max_length=100)


@router.get("/jobs", response_model=JobPage, **route(Scope.READ, 422))
def list_(context: Here, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """List the jobs, newest first."""
    with context.database.reading() as connection:
        found = list_jobs(connection, limit + 1, _read_cursor(cursor))
    more = str(found[limit - 1].id) if len(found) > limit else None
    return {"jobs": [job_summary(job) for job in found[:limit]], "next_cursor": more}


@router.get("/jobs/{job}", response_model=JobDetails, **route(Scope.READ, 404, 422))
def show(context: Here, job: JobKey) -> dict[str, Any]:
    """Show a job: counts, failures by code, images by label, rate and options."""
    with context.database.reading() as connection:
        return job_details(connection, get_job(connection, job))


@router.delete("/jobs/{job}", response_model=DeletedJob, **route(Scope.ADMIN, 404, 409, 422))
def delete(context: Here, job: JobKey) -> dict[str, Any]:
    """Delete a job with all its predictions, and the pictures that were uploaded for it."""
    gone = actions.delete(context, job)
    return {"deleted": gone.public_id, "images": gone.counts.total}


@router.post("/jobs/{job}/cancel", response_model=ChangedJob, **route(Scope.SUBMIT, 404, 409, 422))
def cancel(context: Here, job: JobKey) -> dict[str, Any]:
    """Stop a job; what is finished stays."""
    return show_changed(context, actions.cancel(context, job))


@router.post("/jobs/{job}/resume", response_model=ChangedJob, **route(Scope.SUBMIT, 404, 409, 422))
def resume(context: Here, job: JobKey) -> dict[str, Any]:
    """Let a job go on that was cancelled, or stopped by its failures."""
    return show_changed(context, actions.resume(context, job))


_RETRY = takes_json(RetryBody, route(Scope.SUBMIT, 404, 409, 413, 415, 422), required=False)


@router.post("/jobs/{job}/retry", response_model=ChangedJob, **_RETRY)
def retry(
    context: Here, job: JobKey, body: Annotated[RetryBody, Depends(json_body(RetryBody))]
) -> dict[str, Any]:
    """Run the failed images of a job again: of these codes, or all."""
    return show_changed(context, actions.retry(context, job, body.codes))


def show_changed(context: Here, changed: actions.Changed) -> dict[str, Any]:
    """Return the answer to an action."""
    job = actions.read_again(context, changed.job)
    return {"job": job_summary(job), "images": changed.images, "unsent": changed.unsent}


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if cursor.isascii() and cursor.isdigit() and int(cursor) < 2**31:
        return int(cursor)
    raise UsageError(f"the cursor {cursor!r} is none that a page ended with; start without it")
