"""Rendering: a template becomes a page, everything in it escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline.tokens.scopes import Scope
from pipeline.web.access import COOKIE
from pipeline.web.pages import shown
from pipeline.web.pages.assets import VERSION
from pipeline.web.pages.codes import get_advice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_FOLDER = Path(__file__).parent.parent / "templates"
#: The longer side of a thumbnail, in pixels.
_SIDE = 320


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the page that a template makes of the values, as far as its reader may act."""
    allowed: Scope | None = getattr(request.state, "scope", None)
    about_reader = {
        "signed_in": COOKIE in request.cookies and allowed is not None,
        "may_submit": allowed is not None and allowed.allows(Scope.SUBMIT),
        "may_delete": allowed is not None and allowed.allows(Scope.ADMIN),
    }
    filled = _templates.get_template(template).render(**{"place": "", **about_reader, **values})
    return HTMLResponse(filled, status)


def make_address(path: str, values: Mapping[str, object], fragment: str = "") -> str:
    """Return a path with the values in its query; what is empty or None is left out."""
    query = urlencode({name: value for name, value in values.items() if value not in (None, "")})
    return path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


def find_sides(width: int | None, height: int | None) -> tuple[int, int]:
    """Return width and height of the thumbnail of a picture, in pixels; a square if unknown."""
    if not width or not height:
        return _SIDE, _SIDE
    scale = min(1.0, _SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _asset(name: str) -> str:
    return f"/static/{VERSION}/{name}"


def _label_href(job_id: str, label: str) -> str:
    return make_address(f"/jobs/{job_id}", {"label": label}, "images")


def _make_templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        advice=get_advice,
        asset=_asset,
        label_href=_label_href,
        thumbnail_sides=find_sides,
    )
    names = ("clip", "duration", "last_part", "milliseconds", "moment", "number", "percent")
    made.filters.update({name: getattr(shown, name) for name in names})
    made.filters.update({name: getattr(shown, name) for name in ("printable", "rate", "score")})
    made.filters["size"] = shown.size
    return made


_templates = _make_templates()
