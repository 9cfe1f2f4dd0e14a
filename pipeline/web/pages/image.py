"""The page of an image: the picture, its answers, its history, and how it was made."""

from fastapi import APIRouter, Depends, Request, Response

from pipeline.queries.image import get_image, list_history
from pipeline.queries.jobs import get_job_head
from pipeline.tokens.scopes import Scope
from pipeline.uploads import OPTION
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.rendering import render
from pipeline.web.pages.shown import clip, last_part

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
#: Rows of an image's history.
_HISTORY = 50


@router.get("/jobs/{key}/images/{index}")
def show_image(request: Request, context: Here, key: str, index: int) -> Response:
    """Show an image of a job."""
    with context.database.reading() as connection:
        image = get_image(connection, key, index)
        history = list_history(connection, image.uri, _HISTORY)
        head = get_job_head(connection, key)
    # A picture that was uploaded has its name as its own id: its file has one of ours.
    uploaded = OPTION in head.options and image.custom_id
    return render(
        request,
        "image.html",
        place="jobs",
        image=image,
        history=history,
        total=head.total,
        name=clip(uploaded, 60) if uploaded else last_part(image.uri),
        is_link=image.uri.startswith(("http://", "https://")),
    )
