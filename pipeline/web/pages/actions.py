"""What a job's buttons do; each ends with a page that says what was done."""

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from pipeline.errors import UsageError
from pipeline.records import FailureCode
from pipeline.tokens.scopes import Scope
from pipeline.web import actions
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.forms import read_small_form
from pipeline.web.pages.messages import go_to

router = APIRouter()
_MAY_CHANGE = [Depends(needs(Scope.SUBMIT))]


@router.post("/jobs/{key}/cancel", dependencies=_MAY_CHANGE)
def cancel_job(context: Here, key: str) -> Response:
    """Stop a job."""
    return go_to(f"/jobs/{actions.cancel(context, key).job.public_id}", "cancelled")


@router.post("/jobs/{key}/resume", dependencies=_MAY_CHANGE)
def resume_job(context: Here, key: str) -> Response:
    """Let a job go on."""
    return _go_on(actions.resume(context, key), "resumed")


@router.post("/jobs/{key}/retry", dependencies=_MAY_CHANGE)
async def retry_job(request: Request, context: Here, key: str) -> Response:
    """Run failures again: those of the codes, or all."""
    form = await read_small_form(request)
    codes = _read_codes([str(code) for code in form.getlist("code")])
    changed = await run_in_threadpool(actions.retry, context, key, codes or None)
    return _go_on(changed, "retried" if changed.images else "nothing")


@router.post("/jobs/{key}/delete", dependencies=[Depends(needs(Scope.ADMIN))])
def delete_job(context: Here, key: str) -> Response:
    """Delete a job with its answers."""
    actions.delete(context, key)
    return go_to("/", "deleted")


def _go_on(changed: actions.Changed, said: str) -> Response:
    if changed.unsent:
        said = "local" if changed.job.dispatch == "local" else "unsent"
    return go_to(f"/jobs/{changed.job.public_id}", said, changed.images)


def _read_codes(given: list[str]) -> list[FailureCode]:
    unknown = [code for code in given if code not in set(FailureCode)]
    if unknown:
        raise UsageError(f"no failure has the code {unknown[0][:40]!r}; choose one of the page's")
    return [FailureCode(code) for code in given]
