"""Bodies in JSON, read by the routes themselves: only after it is known who asks."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from pipeline.web.problems import Problem

T = TypeVar("T", bound=BaseModel)


def json_body(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return the dependency that reads a body as ``model``; nothing at all is an empty object.

    Raises Problem (415) for another type, RequestValidationError for what does not fit.
    """

    async def read(request: Request) -> T:
        data = await request.body()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A form of another site cannot send this type.
        if data and kind != "application/json":
            raise Problem(415, "wrong_type", "the body must be application/json")
        try:
            return model.model_validate_json(data or b"{}")
        except ValidationError as error:
            found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(found) from None

    return read
