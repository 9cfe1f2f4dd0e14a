"""All routes of the API, and the document that describes them."""

from typing import Any

from fastapi import APIRouter, FastAPI

from pipeline.web.api import (
    comparisons,
    exports,
    images,
    jobs,
    models,
    predictions,
    probes,
    submissions,
    watching,
)
from pipeline.web.api.documents import describe
from pipeline.web.doors import API

router = APIRouter()
_PARTS = (submissions, jobs, watching, images, predictions, exports, models, comparisons)
for _part in _PARTS:
    router.include_router(_part.router, prefix=API)
router.include_router(probes.router)


def show_schema(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the API; the page's routes are not in it."""
    return describe(app)
