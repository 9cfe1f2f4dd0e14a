"""POST /api/v1/jobs: a job by references and sources, by a manifest, or by pictures."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pipeline.errors import UsageError
from pipeline.records import Precision
from pipeline.reports import StoredReport
from pipeline.tokens.scopes import Scope
from pipeline.web.api.bodies import json_body
from pipeline.web.api.documents import route, takes, takes_json
from pipeline.web.api.job_models import Submitted
from pipeline.web.context import Context, Here
from pipeline.web.forms import JobFields, submit_form
from pipeline.web.job_pages import job_details
from pipeline.web.submissions import submit_references

router = APIRouter(tags=["jobs"])
Text = Annotated[str, Field(min_length=1, max_length=8192)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=100,
        description="The job's name where it has none: the same key again is the same job.",
    ),
]


class GivenReference(BaseModel):
    """A URL or an absolute path, with your own id for it."""

    model_config = ConfigDict(extra="forbid")
    uri: Text
    custom_id: Annotated[str | None, Field(max_length=8192)] = None


class ModelChoice(BaseModel):
    """What classifies; what is not said is as the server is set."""

    model_config = ConfigDict(extra="forbid")
    weights: Annotated[
        str | None,
        Field(max_length=4096, description="demo, IMAGENET1K_V1, IMAGENET1K_V2."),
    ] = None
    precision: Precision | None = None
    top_k: int | None = Field(default=None, ge=1, le=1000)


class SubmitBody(JobFields):
    """A job: references one by one, sources (stores, and folders below the roots), or both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "references": [
                    "https://example.com/dog.jpg",
                    {"uri": "https://example.com/cat.jpg", "custom_id": "cat-1"},
                ],
                "name": "holiday",
                "model": {"weights": "demo", "top_k": 3},
            }
        },
    )
    references: list[Text | GivenReference] = Field(default=[])
    sources: list[Text] = Field(default=[], max_length=1000)
    include: list[Text] = Field(default=[], max_length=100)
    exclude: list[Text] = Field(default=[], max_length=100)
    model: ModelChoice = ModelChoice()


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Submitted, "description": "The job of that name, which was there already."}
}
_ROUTE = route(Scope.SUBMIT, 409, 413, 415, 422, answers=_ANSWERS)


def _fields(more: dict[str, Any], **files: Any) -> dict[str, Any]:
    said = {
        "name": {"type": "string"},
        "weights": {"type": "string"},
        "precision": {"type": "string", "enum": [*map(str, Precision)]},
        "top_k": {"type": "integer", "minimum": 1, "maximum": 1000},
        "max_failure_rate": {"type": "number", "minimum": 0, "maximum": 1},
        "webhook": {"type": "string"},
    }
    schema = {"type": "object", "properties": {**files, **more, **said}, "required": [*files]}
    return {"multipart/form-data": {"schema": schema}}


_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_COLUMNS = {"uri_column": {"type": "string"}, "id_column": {"type": "string"}}


@router.post("/jobs", response_model=Submitted, status_code=201, **takes_json(SubmitBody, _ROUTE))
def submit(
    context: Here,
    response: Response,
    body: Annotated[SubmitBody, Depends(json_body(SubmitBody))],
    key: Key = None,
) -> dict[str, Any]:
    """Submit a job: references and sources. Local paths are read below the roots alone."""
    wanted = body.make_wanted(_check_key(key))
    options = replace(
        wanted.source_options, include=tuple(body.include), exclude=tuple(body.exclude)
    )
    wanted = replace(
        wanted,
        sources=tuple(body.sources),
        source_options=options,
        weights=body.model.weights,
        precision=body.model.precision,
        top_k=body.model.top_k,
    )
    given = [
        (one, None) if isinstance(one, str) else (one.uri, one.custom_id) for one in body.references
    ]
    return _show(context, response, submit_references(context, wanted, given))


@router.post(
    "/jobs/manifest",
    response_model=Submitted,
    status_code=201,
    **takes(_ROUTE, _fields({**_COLUMNS}, manifest=_FILE)),
)
async def submit_manifest(
    context: Here, request: Request, response: Response, key: Key = None
) -> dict[str, Any]:
    """Submit what a manifest lists: the file `manifest` of a form, with its columns.

    `.txt`, `.csv`, `.tsv`, `.jsonl` (also `.gz`) or `.parquet`; its name says which.
    """
    report = await submit_form(context, request, _check_key(key), needs="manifest")
    return await run_in_threadpool(_show, context, response, report)


@router.post(
    "/jobs/pictures",
    response_model=Submitted,
    status_code=201,
    **takes(_ROUTE, _fields({}, pictures={"type": "array", "items": _FILE})),
)
async def submit_pictures(
    context: Here, request: Request, response: Response, key: Key = None
) -> dict[str, Any]:
    """Submit pictures: the files `pictures` of a form; their names become their custom ids."""
    report = await submit_form(context, request, _check_key(key), needs="pictures")
    return await run_in_threadpool(_show, context, response, report)


def _check_key(key: str | None) -> str | None:
    if key is not None and not (key.strip() and key.isprintable()):
        raise UsageError("Idempotency-Key: it takes 1 to 100 characters on one line")
    return key


def _show(context: Context, response: Response, report: StoredReport) -> dict[str, Any]:
    response.status_code = 201 if report.is_new else 200
    response.headers["Location"] = f"/api/v1/jobs/{report.job.public_id}"
    with context.database.reading() as connection:
        return {"job": job_details(connection, report.job), "unsent": report.unsent}
