"""The OpenAPI document: what every route needs, and every refusal that it can answer with."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.problems import MEDIA_TYPE

T = TypeVar("T", bound=BaseModel)
_REF = "#/components/schemas/"
#: What every route that needs a token can answer with.
_USUAL = (401, 403, 429, 503)
_MEANINGS = {
    401: "No token, or one that is none.",
    403: "The token's scope is too small, or another site sent the request.",
    404: "There is no such job, image, model or picture.",
    409: "The job is not in a state for that, or its name is another job's.",
    413: "The body is too long, or has too many references.",
    415: "The body is of another type.",
    422: "Something in the request cannot be meant.",
    429: "Too many requests; `Retry-After` says when to go on.",
    503: "The database, the broker or the picture's host is away.",
}
#: Models of bodies that routes read themselves, after they know who asks.
_bodies: list[type[BaseModel]] = []


class ProblemModel(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no job 'holiday'; `imagemill jobs list` shows them"])
    code: str = Field(examples=["no_such_job"])


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the refusals with these statuses, for a route's ``responses``."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF + ProblemModel.__name__}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted(set(statuses))
    }


def route(
    scope: Scope, *statuses: int, answers: dict[int | str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return what a route is declared with: the scope that it needs, and how it can refuse.

    ``answers`` are its own responses beside the usual one.
    """
    return {
        "dependencies": [Depends(needs(scope))],
        "responses": {**(answers or {}), **problems(*_USUAL, *statuses)},
        "openapi_extra": {
            "security": [{"bearer": []}, {}],
            "x-scope": str(scope),
        },
    }


def takes_json(model: type[T], declared: dict[str, Any], *, required: bool = True) -> Any:
    """Return a route's declaration with a body that it reads itself."""
    _bodies.append(model)
    schema = {"$ref": _REF + model.__name__}
    return takes(declared, {"application/json": {"schema": schema}}, required=required)


def takes(declared: dict[str, Any], content: dict[str, Any], *, required: bool = True) -> Any:
    """Return a route's declaration with a body of this content."""
    body = {"requestBody": {"required": required, "content": content}}
    return {**declared, "openapi_extra": {**declared["openapi_extra"], **body}}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document of the routes that are shown in it."""
    if not app.openapi_schema:
        app.openapi_schema = _make(app)
    return app.openapi_schema


def _make(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    parts = document.setdefault("components", {})
    models: list[Any] = [(model, "validation") for model in (ProblemModel, *_bodies)]
    _, found = models_json_schema(models, ref_template=_REF + "{model}")
    parts.setdefault("schemas", {}).update(found["$defs"])
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    _each_operation(document, _drop_usual_errors)
    return document


def _each_operation(document: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            change(operation)


def _drop_usual_errors(operation: dict[str, Any]) -> None:
    """Leave out the framework's own form of a refusal: ours is another."""
    refused = operation["responses"].get("422")
    if refused and MEDIA_TYPE not in refused.get("content", {}):
        operation["responses"]["422"] = problems(422)[422]
