"""Problems: every refusal and every fault as RFC 9457 says it, with a stable code."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline import errors
from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.references import storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

#: The media type of every problem.
MEDIA_TYPE = "application/problem+json"

#: The most special first.
_KNOWN: tuple[tuple[type[errors.ImagemillError], int, str], ...] = (
    (errors.UnknownJobError, 404, "no_such_job"),
    (errors.JobError, 409, "conflict"),
    (errors.SourceError, 422, "source_error"),
    (errors.WeightsError, 422, "weights_error"),
    (errors.UsageError, 422, "wrong_use"),
    (errors.DatabaseError, 503, "database_error"),
    (errors.BrokerError, 503, "broker_error"),
    (errors.EngineError, 503, "engine_error"),
)
#: What went wrong at another machine, or may be right in a moment.
_GATEWAY = frozenset(
    (FailureCode.DNS_ERROR, FailureCode.CONNECT_ERROR, FailureCode.TIMEOUT, FailureCode.HTTP_429)
)
#: The codes of what the framework itself refuses.
_USUAL = {404: "no_such_address", 405: "method_not_allowed", 400: "bad_request"}


class Problem(HTTPException):
    """A request that cannot be answered: a status, a stable code, and a sentence for people."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code

    def as_dict(self) -> dict[str, object]:
        """Return ``type title status detail code``."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": storable(self.detail),
            "code": self.code,
        }


def as_problem(error: Exception) -> Problem:
    """Return what an exception means for whoever asked; a bug of ours shows nothing of itself."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        usual = _USUAL.get(error.status_code, "refused")
        return Problem(error.status_code, usual, _sentence(error), error.headers)
    if isinstance(error, RequestValidationError):
        return Problem(422, "wrong_use", _explain(error))
    if isinstance(error, PictureError):
        return _as_picture_problem(error)
    for kind, status, code in _KNOWN:
        if isinstance(error, kind):
            return Problem(status, code, str(error))
    return Problem(500, "bug", "this is a bug in imagemill; its log says more")


def answer(error: Exception) -> Response:
    """Return the response that an exception becomes."""
    problem = as_problem(error)
    return JSONResponse(
        problem.as_dict(), problem.status_code, problem.headers, media_type=MEDIA_TYPE
    )


async def handle(request: Request, error: Exception) -> Response:
    """Answer a request that raised: with a page for a browser, else with the problem."""
    problem = as_problem(error)
    if wants_page(request):
        from pipeline.web.pages.problem import problem_page

        return problem_page(request, problem)
    return answer(problem)


def wants_page(request: Request) -> bool:
    """Return whether a person's browser asks for a page, not a program for an answer."""
    path = request.url.path
    is_page = not path.startswith(("/api/", "/openapi.json", "/metrics", "/healthz", "/readyz"))
    return is_page and "text/html" in request.headers.get("accept", "")


def _as_picture_problem(error: PictureError) -> Problem:
    failure = error.failure
    if failure.code is FailureCode.NOT_FOUND:
        return Problem(404, failure.code, failure.message)
    if failure.code in _GATEWAY:
        return Problem(503, failure.code, failure.message, {"Retry-After": "60"})
    return Problem(422, failure.code, failure.message)


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404:
        return "there is nothing at this address; /openapi.json lists what there is"
    if error.status_code == 405:
        return "this address does not take that method; /openapi.json says which it takes"
    return str(error.detail)


def _explain(error: RequestValidationError) -> str:
    """Return what is wrong with the first of the arguments; never their values."""
    first: dict[str, Any] = error.errors()[0]
    _, *names = [str(part) for part in first["loc"]] or [""]
    reason = str(first["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(names)}: {reason}" if names else reason
