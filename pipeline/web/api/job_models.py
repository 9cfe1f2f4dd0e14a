"""Jobs as the API shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from pipeline.records import Dispatch, JobStatus, Precision

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
_COUNTS = {"total": 305, "succeeded": 300, "failed": 5, "pending": 0, "cancelled": 0}
_MODEL = {"name": "demo", "sha256": "5a" * 32, "precision": "auto", "preprocessing": "1"}
_SUMMARY: dict[str, Any] = {
    "id": "jx3k7q2m5ab",
    "name": "holiday",
    "status": "completed",
    "reason": None,
    "notice": None,
    "dispatch": "broker",
    "counts": _COUNTS,
    "reused": 0,
    "skipped": 0,
    "images_per_s": 412.5,
    "model": _MODEL,
    "options": {"sources": ["/data/holiday"], "top_k": 5},
    "created_at": "2026-11-28T09:30:00+00:00",
    "submitted_at": "2026-11-28T09:30:01+00:00",
    "started_at": "2026-11-28T09:30:01+00:00",
    "finished_at": "2026-11-28T09:30:02+00:00",
}
_DETAILS: dict[str, Any] = {
    **_SUMMARY,
    "failures": {"not_found": 5},
    "labels": {"Samoyed": 200, "tabby": 100},
    "webhook": None,
    "eta_s": None,
}


class Counts(BaseModel):
    """A job's books: total = succeeded + failed + pending + cancelled."""

    total: int
    succeeded: int
    failed: int
    pending: int
    cancelled: int


class JobModel(BaseModel):
    """The model that a job's images go through."""

    name: str
    sha256: str
    precision: Precision
    preprocessing: str


class JobSummary(BaseModel):
    """A job; ``images_per_s`` of one that runs is its rate so far."""

    model_config = ConfigDict(json_schema_extra={"example": _SUMMARY})
    id: str
    name: str | None
    status: JobStatus
    reason: str | None
    notice: str | None
    dispatch: Dispatch
    counts: Counts
    reused: int
    skipped: int
    images_per_s: float | None
    model: JobModel
    options: dict[str, Any]
    created_at: Moment
    submitted_at: Moment | None
    started_at: Moment | None
    finished_at: Moment | None


class JobDetails(JobSummary):
    """A job with its failures by code and its images by label; null: too many to count now."""

    model_config = ConfigDict(json_schema_extra={"example": _DETAILS})
    failures: dict[str, int] | None
    labels: dict[str, int] | None
    webhook: dict[str, Any] | None
    #: Seconds until its end, as far as its rate tells.
    eta_s: float | None


class JobPage(BaseModel):
    """Jobs, the newest first; ``next_cursor`` asks for the next page."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"jobs": [_SUMMARY], "next_cursor": None}}
    )
    jobs: list[JobSummary]
    next_cursor: str | None


class Submitted(BaseModel):
    """A job that is stored; ``unsent``: why the workers have nothing of it yet."""

    model_config = ConfigDict(json_schema_extra={"example": {"job": _DETAILS, "unsent": None}})
    job: JobDetails
    unsent: str | None


class ChangedJob(BaseModel):
    """A job after an action, how many images it moved, and why nothing was sent yet."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"job": _SUMMARY, "images": 5, "unsent": None}}
    )
    job: JobSummary
    images: int
    unsent: str | None


class DeletedJob(BaseModel):
    """A job that is gone."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"deleted": "jx3k7q2m5ab", "images": 305}}
    )
    deleted: str
    images: int = Field(ge=0)
