"""/api/v1/predictions/export: all that match, as a file that is written while it is sent."""

from contextlib import closing
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pipeline.export.rows import Format, export
from pipeline.queries.results import find_top_k, iterate_results
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.context import Context, Here
from pipeline.web.filters import Wanted
from pipeline.web.streams import pieces

router = APIRouter(tags=["predictions"])
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
_TEXT, _BYTES = {"type": "string"}, {"type": "string", "format": "binary"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "text/csv": {"schema": _TEXT},
            "application/jsonl": {"schema": _TEXT},
            "application/vnd.apache.parquet": {"schema": _BYTES},
        },
    }
}
Form = Annotated[Format, Query(alias="format", description="What the file is written as.")]


@router.get(
    "/predictions/export",
    response_class=StreamingResponse,
    **route(Scope.READ, 404, 422, answers=_FILE),
)
async def export_(context: Here, wanted: Wanted, form: Form = "jsonl") -> StreamingResponse:
    """Export every finished image that matches, as `imagemill predictions export` does."""
    # Asked at once, so that a wrong filter is refused before there is a file.
    results, top_k = await run_in_threadpool(_ask, context, wanted)

    def write(destination: BinaryIO) -> None:
        with closing(results):
            export(results, form, destination, top_k)

    headers = {"Content-Disposition": f'attachment; filename="predictions.{form}"'}
    return StreamingResponse(pieces(write), media_type=_TYPES[form], headers=headers)


def _ask(context: Context, wanted: Wanted) -> tuple[Any, int]:
    with context.database.reading() as connection:
        top_k = find_top_k(connection, wanted)
    return iterate_results(context.database, wanted), top_k
