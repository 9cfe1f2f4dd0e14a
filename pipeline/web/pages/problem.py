"""What a browser is shown in place of a page that it may not have, or that there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.web.pages.login import login_page
from pipeline.web.pages.rendering import render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pipeline.web.problems import Problem

_TITLES = {
    403: "Not with this token",
    404: "There is nothing here",
    405: "Not like this",
    409: "Not now",
    413: "Too much at once",
    422: "That cannot be meant",
    429: "Too fast",
    500: "A fault of ours",
    503: "Out of reach",
}


def problem_page(request: Request, problem: Problem) -> Response:
    """Return a refusal or a fault as a page; where a token is missing, the page to log in."""
    if problem.status_code == 401:
        return login_page(request, 401)
    page = render(
        request,
        "error.html",
        problem.status_code,
        status_code=problem.status_code,
        title=_TITLES.get(problem.status_code, "That did not work"),
        detail=_begin_large(problem.detail),
        back=_find_job(request.url.path),
    )
    page.headers.update(problem.headers or {})
    return page


def _begin_large(sentence: str) -> str:
    shown = sentence[:1].upper() + sentence[1:]
    return shown if shown.endswith((".", "!", "?", "`")) else f"{shown}."


def _find_job(path: str) -> str | None:
    """Return the address of the job that a form or an image belonged to."""
    _, first, *rest = path.split("/")
    return f"/jobs/{rest[0]}" if first == "jobs" and len(rest) > 1 else None
