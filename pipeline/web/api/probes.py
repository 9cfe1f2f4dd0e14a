"""Probes and the document: /healthz, /readyz, /metrics and /openapi.json."""

import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from pipeline.database.schema import read_state
from pipeline.errors import BrokerError, DatabaseError
from pipeline.tokens.scopes import Scope
from pipeline.web.api.documents import route
from pipeline.web.context import Context, Here
from pipeline.web.metrics import CONTENT_TYPE

router = APIRouter(tags=["probes"])
#: How long what was found out is good, in seconds: anybody may ask, as often as they like.
_GOOD_S = 2.0
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Every metric.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Health(BaseModel):
    """The server runs."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})
    status: str


class Readiness(BaseModel):
    """Whether the server can work; a broker that is away is told, and keeps nobody away."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "ready", "database": "ok", "broker": "ok"}}
    )
    status: str
    database: str
    broker: str


@router.get("/healthz", response_model=Health)
async def health() -> dict[str, str]:
    """Say that the server runs."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "The database cannot be used."}},
)
def readiness(context: Here) -> JSONResponse:
    """Say whether the database can be used, and whether the broker answers."""
    with context.readiness.lock:
        if time.monotonic() - context.readiness.seen_at > _GOOD_S:
            context.readiness.database = _look_at_database(context)
            context.readiness.broker = _look_at_broker(context)
            context.readiness.seen_at = time.monotonic()
        database, broker = context.readiness.database, context.readiness.broker
    ready = database == "ok"
    told = {"status": "ready" if ready else "not ready", "database": database, "broker": broker}
    return JSONResponse(told, 200 if ready else 503)


@router.get("/metrics", response_class=Response, **route(Scope.READ, answers=_METRICS))
def metrics(context: Here) -> Response:
    """Return the metrics of this server in Prometheus' text form."""
    return Response(context.metrics.text(context.watches.listeners), media_type=CONTENT_TYPE)


@router.get("/openapi.json", include_in_schema=False, **route(Scope.READ))
def show_document(request: Request) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(request.app.openapi())


def _look_at_database(context: Context) -> str:
    database = context.database
    try:
        with database.translated():
            fits = read_state(database.engine, database.address).fits
    except DatabaseError:
        return "away"
    return "ok" if fits else "another schema: run `imagemill db upgrade`"


def _look_at_broker(context: Context) -> str:
    try:
        context.broker().check()
    except BrokerError:
        return "away"
    return "ok"
