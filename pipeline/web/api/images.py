"""/api/v1/jobs/{job}/images: one image, and its thumbnail."""

import hashlib
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict

from pipeline.queries.image import get_image, list_history
from pipeline.records import ChunkState, FailureCode, Precision
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.api.job_models import Moment
from pipeline.web.api.jobs import JobKey
from pipeline.web.api.prediction_models import RESULT, ImageError, Prediction
from pipeline.web.context import Here
from pipeline.web.pictures import load_thumbnail

router = APIRouter(tags=["images"])
Index = Annotated[int, Path(ge=0, lt=2**31, description="The image's index in the job, from 0.")]
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"description": "The thumbnail.", "content": {"image/jpeg": {}}},
    304: {"description": "It is the one that `If-None-Match` names."},
}


class Chunk(BaseModel):
    """The chunk that an image was classified in: by what, and where its time went (ms)."""

    number: int
    first: int
    last: int
    state: ChunkState
    retries: int
    worker: str | None
    batch_sizes: list[int]
    queue_wait_ms: float | None
    read_ms: float | None
    decode_ms: float | None
    forward_ms: float | None
    store_ms: float | None
    engine: str | None
    device: str | None
    versions: dict[str, str]
    started_at: Moment | None
    finished_at: Moment | None


class History(BaseModel):
    """What a job made of the same uri; with neither a label nor a code the image is open."""

    job: str
    job_id: str
    index: int
    model: str
    precision: Precision
    label: str | None
    score: float | None
    code: FailureCode | None
    finished_at: Moment | None


class Image(BaseModel):
    """An image in its job; null for what is not known, and predictions of one that is open."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **RESULT,
                "job_id": "jx3k7q2m5ab",
                "open": False,
                "size": 2_483_200,
                "version": "1764321000000000000",
                "sha256": "5a" * 32,
                "chunk": None,
                "history": [],
            }
        }
    )
    job: str
    job_id: str
    index: int
    uri: str
    custom_id: str | None
    open: bool
    predictions: list[Prediction] | None
    error: ImageError | None
    size: int | None
    version: str | None
    sha256: str | None
    width: int | None
    height: int | None
    chunk: Chunk | None
    history: list[History]


@router.get("/jobs/{job}/images/{index}", response_model=Image, **route(Scope.READ, 404, 422))
def show(context: Here, job: JobKey, index: Index) -> dict[str, Any]:
    """Show an image: its answer, how that was made, and what other jobs made of the same uri."""
    with context.database.reading() as connection:
        image = get_image(connection, job, index)
        history = list_history(connection, image.uri)
    told = asdict(image)
    result = {} if image.result is None else image.result.as_dict()
    told |= {
        "open": image.result is None,
        "predictions": result.get("predictions"),
        "error": result.get("error"),
        "chunk": image.chunk and _with_text_times(asdict(image.chunk)),
        "history": [_with_text_times(asdict(one)) for one in history],
    }
    return told


@router.get(
    "/jobs/{job}/images/{index}/thumbnail",
    response_class=Response,
    **route(Scope.READ, 404, 422, answers=_JPEG),
)
async def show_thumbnail(
    context: Here,
    job: JobKey,
    index: Index,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Return an image as a small JPEG, made now if it is not kept."""
    data = await load_thumbnail(context, job, index)
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/jpeg", headers=headers)


def _with_text_times(told: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if k.endswith("_at") and v else v for k, v in told.items()}
