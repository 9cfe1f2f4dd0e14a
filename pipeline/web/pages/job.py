"""The page of a job: how far it is, what was recognised, and its images."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from pipeline.errors import UsageError
from pipeline.queries.histograms import get_histograms
from pipeline.queries.jobs import get_job
from pipeline.queries.results import Page, list_results
from pipeline.queries.tallies import count_by_code
from pipeline.records import Job
from pipeline.tokens.scopes import Scope
from pipeline.uploads import OPTION
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.bins import make_bins
from pipeline.web.pages.gallery import ORDERS, OUTCOMES, Choice
from pipeline.web.pages.messages import find_message
from pipeline.web.pages.progress import find_progress
from pipeline.web.pages.rendering import render
from pipeline.web.pages.shown import number

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
#: Images on a page of the gallery.
_IMAGES = 48


@router.get("/jobs/{key}")
def show_job(
    request: Request,
    context: Here,
    key: str,
    choice: Annotated[Choice, Depends()],
    said: Annotated[str, Query()] = "",
    n: Annotated[str, Query()] = "",
) -> Response:
    """Show a job with the images that are chosen of it."""
    with context.database.reading() as connection:
        job = get_job(connection, key)
        values = _read_head(connection, job) | _read_images(connection, job, choice)
    bins = make_bins(job, choice, values["scores"])
    said_before = find_message(said, n)
    return render(request, "job.html", place="jobs", bins=bins, message=said_before, **values)


def _read_head(connection: Connection, job: Job) -> dict[str, Any]:
    codes = count_by_code(connection, job) or {}
    labels, scores = get_histograms(connection, job)
    return {
        "job": job,
        "alive": job.status.is_alive,
        "progress": find_progress(job),
        "codes": codes,
        "labels": labels,
        "scores": scores,
        "outcomes": [*OUTCOMES, *((code, f"{code} ({number(n)})") for code, n in codes.items())],
        "orders": ORDERS,
        "uploaded": OPTION in job.options,
    }


def _read_images(connection: Connection, job: Job, choice: Choice) -> dict[str, Any]:
    trouble, found = "", Page([], None)
    try:
        wanted, after = choice.as_filter(job), choice.cursor or None
        found = list_results(connection, wanted, _IMAGES, after, choice.order)
    except UsageError as error:
        trouble = str(error)
    return {
        "choice": choice,
        "rows": found.rows,
        "next_cursor": found.next_cursor,
        "page_size": _IMAGES,
        "matches": _count(job, choice, found),
        "error_text": trouble,
    }


def _count(job: Job, choice: Choice, found: Page) -> str:
    """Return how many images there are, where it is known without counting."""
    if not choice.is_filtered and choice.order == ORDERS[0][0]:
        return f"{number(job.counts.succeeded + job.counts.failed)} finished"
    if choice.number == 1 and found.next_cursor is None:
        return f"{number(len(found.rows))} found"
    return ""
