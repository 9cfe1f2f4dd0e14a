"""Logging in: a token from a form is kept in a cookie that no script can read."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response

from pipeline.web.access import COOKIE, check_login
from pipeline.web.pages.forms import read_small_form, text_of
from pipeline.web.pages.messages import go_to
from pipeline.web.pages.rendering import render
from pipeline.web.problems import Problem

router = APIRouter()
#: How long a browser keeps a token, in seconds.
_KEPT_S = 30 * 24 * 3600


def login_page(request: Request, status: int = 200, problem: str = "") -> Response:
    """Return the form for a token; after it the browser goes on to what it asked for."""
    path, query = request.url.path, request.url.query
    here = f"{path}?{query}" if query else path
    following = here if request.method == "GET" and path != "/login" else "/"
    return _show(request, following, problem, status)


@router.get("/login")
def show_login(request: Request, next: Annotated[str, Query()] = "/") -> Response:  # noqa: A002
    """Show the form for a token."""
    return _show(request, _own_path(next))


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Keep a token that is one, and go on; else show the form again."""
    form = await read_small_form(request)
    secret, following = text_of(form, "token"), _own_path(text_of(form, "next"))
    try:
        await check_login(request, secret)
    except Problem as problem:
        return _show(request, following, _explain(problem))
    answer = go_to(following)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, secret, max_age=_KEPT_S, httponly=True, samesite="strict", secure=is_secure
    )
    return answer


@router.post("/logout")
def log_out() -> Response:
    """Forget the token in this browser."""
    answer = go_to("/login")
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _show(request: Request, following: str, problem: str = "", status: int = 200) -> Response:
    return render(request, "login.html", status, next=following, problem=problem)


def _explain(problem: Problem) -> str:
    if problem.status_code == 401:
        return "This token is none, or was revoked. Check that all of it was copied."
    return problem.detail


def _own_path(address: str) -> str:
    r"""Return an address of this server; the jobs for any other one (``//host``, ``/\host``)."""
    shown = address if address.isprintable() and "\\" not in address else ""
    is_own = shown.startswith("/") and not shown.startswith("//") and not urlsplit(shown).netloc
    return shown if is_own else "/"
