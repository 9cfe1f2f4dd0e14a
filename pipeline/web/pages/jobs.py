"""The page of all jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pipeline.queries.jobs import list_jobs
from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.messages import find_message
from pipeline.web.pages.numbers import read_number
from pipeline.web.pages.progress import find_progress
from pipeline.web.pages.rendering import make_address, render

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
#: Jobs on a page.
_ROWS = 50


@router.get("/")
def show_jobs(
    request: Request,
    context: Here,
    before: Annotated[str, Query()] = "",
    page: Annotated[str, Query()] = "",
    said: Annotated[str, Query()] = "",
) -> Response:
    """Show a page of jobs, the newest first."""
    start = read_number(before)
    with context.database.reading() as connection:
        found = list_jobs(connection, _ROWS + 1, start)
    number = (read_number(page) or 1) if start else 1
    shown = found[:_ROWS]
    following = {"before": shown[-1].id, "page": number + 1} if len(found) > _ROWS else None
    return render(
        request,
        "jobs.html",
        place="jobs",
        jobs=[(job, find_progress(job)) for job in shown],
        alive=any(job.status.is_alive for job in shown),
        before=start,
        page=number,
        next=following and make_address("/", following),
        message=find_message(said),
    )
