"""The page that submits a job; what is wrong comes back beside the field that it is about."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from pipeline.errors import BrokerError, DatabaseError, ImagemillError, JobError, WeightsError
from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.actions import PUBLIC_WEIGHTS
from pipeline.web.context import Context, Here
from pipeline.web.forms import submit_form
from pipeline.web.pages.forms import text_of
from pipeline.web.pages.messages import go_to
from pipeline.web.pages.rendering import render
from pipeline.web.problems import Problem, as_problem

router = APIRouter(dependencies=[Depends(needs(Scope.SUBMIT))])
_PRECISIONS = (
    ("exact", "exact: the reference implementation"),
    ("auto", "auto: the same answers, faster"),
    ("fast", "fast: half precision"),
)
_PRIORITIES = (("bulk", "bulk"), ("high", "high: before the others"))
_FIELDS = ("references", "uri_column", "id_column", "name", "weights", "precision", "priority")
#: Where an error is shown that names no field.
_ANYWHERE = "references"


@router.get("/submit")
def show_form(request: Request, context: Here) -> Response:
    """Show the form, as the server is set."""
    settings = context.settings
    usual = {"weights": settings.weights, "precision": settings.precision, "priority": "bulk"}
    return _show(request, context, {**dict.fromkeys(_FIELDS, ""), **usual}, {})


@router.post("/submit")
async def submit_job(request: Request, context: Here) -> Response:
    """Submit what the form holds, and go to the job; else show the form with what is wrong."""
    try:
        report = await submit_form(context, request)
    except (DatabaseError, BrokerError):
        raise
    except (Problem, RequestValidationError, ImagemillError) as error:
        # Read before: the form is kept with the request. Its files are gone, as in every browser.
        form = await request.form()
        given = {name: text_of(form, name) for name in _FIELDS}
        return _show(request, context, given, {_find_field(error): _sentence(error)})
    said = "unsent" if report.unsent else "submitted" if report.is_new else "known"
    return go_to(f"/jobs/{report.job.public_id}", said)


def _show(
    request: Request, context: Context, given: dict[str, Any], errors: dict[str, str]
) -> Response:
    settings = context.settings
    return render(
        request,
        "submit.html",
        place="submit",
        given=given,
        errors=errors,
        roots=[str(root) for root in settings.roots],
        upload_bytes=settings.upload_bytes,
        weights=list(dict.fromkeys((*PUBLIC_WEIGHTS, settings.weights))),
        precisions=_PRECISIONS,
        priorities=_PRIORITIES,
    )


def _find_field(error: Exception) -> str:
    if isinstance(error, JobError):
        return "name"
    if isinstance(error, WeightsError):
        return "weights"
    name = as_problem(error).detail.partition(":")[0].removeprefix("body.")
    return name if name in (*_FIELDS, "manifest", "pictures") else _ANYWHERE


def _sentence(error: Exception) -> str:
    name, colon, reason = as_problem(error).detail.partition(": ")
    said = reason if colon and name.isidentifier() else as_problem(error).detail
    return said[:1].upper() + said[1:]
