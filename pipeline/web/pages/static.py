"""The routes of the page's assets."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse, Response

from pipeline.web.pages.assets import ASSETS, VERSION

router = APIRouter()
#: An address with the version in it never means anything else.
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{version}/{name}")
def get_asset(version: Annotated[str, Path()], name: Annotated[str, Path()]) -> Response:
    """Return an asset; the newest one, whatever version is asked for."""
    if name not in ASSETS:
        return PlainTextResponse("there is no such file here", 404)
    content, kind = ASSETS[name]
    cached = _FOR_EVER if version == VERSION else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": cached})
