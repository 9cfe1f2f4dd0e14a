"""The page of a job's failures: by code, with what to do, and each image with its reason."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pipeline.queries.filters import PredictionFilter
from pipeline.queries.jobs import get_job
from pipeline.queries.results import list_results
from pipeline.queries.tallies import count_by_code
from pipeline.records import RETRYABLE, FailureCode
from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.gallery import Choice
from pipeline.web.pages.messages import find_message
from pipeline.web.pages.rendering import make_address, render

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
_ROWS = 100
_FORMS = ("csv", "jsonl", "parquet")


@router.get("/jobs/{key}/failures")
def show_failures(
    request: Request,
    context: Here,
    key: str,
    choice: Annotated[Choice, Depends()],
    code: Annotated[str, Query()] = "",
    said: Annotated[str, Query()] = "",
    n: Annotated[str, Query()] = "",
) -> Response:
    """Show the failures of a job, or those of one code."""
    chosen = code if code in set(FailureCode) else ""
    with context.database.reading() as connection:
        job = get_job(connection, key)
        codes = count_by_code(connection, job)
        wanted = PredictionFilter(job=job.public_id, code=chosen or None, failed=True)
        found = list_results(connection, wanted, _ROWS, choice.cursor or None)
    path = f"/jobs/{job.public_id}/failures"
    following = {"code": chosen, "cursor": found.next_cursor, "page": choice.number + 1}
    exports = {form: Choice(outcome=chosen or "failed").export(job, form) for form in _FORMS}
    return render(
        request,
        "failures.html",
        place="jobs",
        job=job,
        codes=codes or {},
        passing=[one for one in codes or {} if one in RETRYABLE],
        chosen=chosen,
        rows=found.rows,
        first=make_address(path, {"code": chosen}, "failed") if choice.cursor else None,
        next=make_address(path, following, "failed") if found.next_cursor else None,
        page=choice.number,
        exports=exports,
        message=find_message(said, n),
    )
