"""Thumbnails for the page: where there is no picture, a sign with the reason in its place."""

from fastapi import APIRouter, Depends, Response

from pipeline.failures import PictureError
from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.context import Here
from pipeline.web.pages.codes import get_advice
from pipeline.web.pages.placeholder import draw_placeholder
from pipeline.web.pictures import load_thumbnail

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
#: How long a browser may keep a picture without asking again, and a sign, in seconds.
_PICTURE_S, _SIGN_S = 3600, 30


@router.get("/jobs/{key}/images/{index}/thumbnail")
async def show_thumbnail(context: Here, key: str, index: int) -> Response:
    """Return an image's thumbnail as a JPEG, or an SVG that says why there is none.

    An answer without a picture is no error here: it would be one in every browser's console.
    """
    try:
        picture = await load_thumbnail(context, key, index)
    except PictureError as error:
        sign = draw_placeholder(get_advice(error.failure.code).title)
        return _answer(sign, "image/svg+xml", _SIGN_S)
    return _answer(picture, "image/jpeg", _PICTURE_S)


def _answer(content: bytes, kind: str, kept_s: int) -> Response:
    kept = {"Cache-Control": f"private, max-age={kept_s}"}
    return Response(content, media_type=kind, headers=kept)
