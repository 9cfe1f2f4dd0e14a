"""/api/v1/jobs/{job}/watch: a job live, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pipeline.queries.jobs import get_job
from pipeline.records import Job
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.api.jobs import JobKey
from pipeline.web.context import Context, Here

router = APIRouter(tags=["jobs"])
#: How often a client hears something at least, in seconds: what is between drops silent lines.
_KEEP_ALIVE_S = 15.0
#: How soon a client that lost us asks again, in ms.
_RETRY_MS = 3000


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


#: One event; its data are the job as JSON.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["progress", "end"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobDetails"},
        },
    },
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The job, event after event.",
        "content": {EventStream.media_type: {"schema": _EVENT}},
    }
}


@router.get(
    "/jobs/{job}/watch",
    response_class=EventStream,
    **route(Scope.READ, 404, 422, answers=_EVENTS),
)
async def watch(context: Here, job: JobKey) -> EventStream:
    """Send `progress` now and then, with the job as it is shown, and `end` when it has ended.

    However many listen, the job is looked at once. A database that is away ends nothing.
    """
    found = await run_in_threadpool(_find, context, job)
    headers = {"X-Accel-Buffering": "no"}
    return EventStream(_stream(context, found.id), headers=headers)


def _find(context: Context, key: str) -> Job:
    with context.database.reading() as connection:
        return get_job(connection, key)


async def _stream(context: Context, job_id: int) -> AsyncIterator[str]:
    yield f"retry: {_RETRY_MS}\n\n"
    async with aclosing(context.watches.subscribe(job_id)) as looks:
        # A task of its own: a wait for it that is given up must not end the subscription.
        coming = asyncio.ensure_future(anext(looks))
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=_KEEP_ALIVE_S)
                if not done:
                    yield ": still here\n\n"
                    continue
                look = coming.result()
                name = "end" if look.is_over else "progress"
                yield f"event: {name}\ndata: {json.dumps(look.shown)}\n\n"
                coming = asyncio.ensure_future(anext(looks))
        except StopAsyncIteration:
            return
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
