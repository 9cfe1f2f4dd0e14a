"""The application: the API and the page behind one set of doors."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pipeline.database.database import open_database
from pipeline.errors import ImagemillError
from pipeline.failures import PictureError
from pipeline.web import problems
from pipeline.web.api.router import router as api
from pipeline.web.api.router import show_schema
from pipeline.web.context import make_context
from pipeline.web.doors import Doors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.config import Settings
    from pipeline.database.database import Database

_EXPECTED = (HTTPException, RequestValidationError, ImagemillError, PictureError)


def make_app(settings: Settings, database: Database | None = None, *, loopback: bool) -> FastAPI:
    """Return the application; ``loopback``: it is heard on this machine alone.

    Without a ``database`` it opens the one of the settings, and closes it at its end. Raises
    DatabaseError, and UsageError for settings that cannot work.
    """
    used = database or open_database(settings.database_url)
    context = make_context(settings, used, loopback=loopback)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.close()
        if database is None:
            used.close()

    app = FastAPI(
        title="imagemill",
        version=version("imagemill"),
        summary="Bulk image classification with MobileNet v2.",
        # Its pages load from elsewhere, and the document itself needs a token.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=living,
        exception_handlers=dict.fromkeys(_EXPECTED, problems.handle),
    )
    app.state.context = context
    app.include_router(api)
    _add_pages(app)
    app.openapi = lambda: show_schema(app)  # type: ignore[method-assign]
    _shut(app, Doors, metrics=context.metrics, most_bytes=settings.upload_bytes)
    return app


def _shut(app: FastAPI, doors: Any, **arguments: Any) -> None:
    app.add_middleware(doors, **arguments)


def _add_pages(app: FastAPI) -> None:
    from pipeline.web.pages.router import router as pages

    app.include_router(pages)
