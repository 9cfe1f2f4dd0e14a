"""The page that compares two jobs: agreement, label flips, and the flipped images."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from pipeline.compare.comparison import Comparison
from pipeline.compare.flips import FlipPage, list_flips
from pipeline.compare.keys import JoinKey
from pipeline.errors import JobError, UsageError
from pipeline.queries.jobs import list_jobs
from pipeline.tokens.scopes import Scope
from pipeline.web.access import needs
from pipeline.web.context import Context, Here
from pipeline.web.pages.numbers import read_page
from pipeline.web.pages.rendering import make_address, render

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])
#: Jobs that can be chosen from, kinds of flips in the table, images on a page.
_JOBS, _FLIPS, _IMAGES = 100, 200, 48


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: two jobs, the key, one kind of flip, a page."""

    a: str = ""
    b: str = ""
    by: str = ""
    from_label: Annotated[str, Query(alias="from")] = ""
    to_label: Annotated[str, Query(alias="to")] = ""
    cursor: str = ""
    page: str = ""

    @property
    def key(self) -> JoinKey:
        """By what images are the same; the uri where the address says nothing that is known."""
        return JoinKey(self.by) if self.by in set(JoinKey) else JoinKey.URI

    @property
    def number(self) -> int:
        """The number of the page, from 1."""
        return read_page(self.page, self.cursor)

    def href(self, start: str = "", end: str = "", **page: object) -> str:
        """Return the address of a kind of flip (all kinds, if none is named)."""
        by = "" if self.key is JoinKey.URI else str(self.key)
        values = {"a": self.a, "b": self.b, "by": by, "from": start, "to": end}
        return make_address("/compare", {**values, **page}, "flipped")


@router.get("/compare")
def show_comparison(
    request: Request, context: Here, asked: Annotated[Asked, Depends()]
) -> Response:
    """Show two jobs side by side, or the form that asks for them."""
    with context.database.reading() as connection:
        jobs = list_jobs(connection, _JOBS)
        values = _compare(context, connection, asked)
    values |= {"a": asked.a, "b": asked.b, "by": str(asked.key)}
    return render(request, "compare.html", place="compare", jobs=jobs, **values)


def _compare(context: Context, connection: Connection, asked: Asked) -> dict[str, Any]:
    nothing = {"found": None, "error_text": ""}
    if not (asked.a and asked.b):
        return nothing
    try:
        found = context.comparisons.get(connection, asked.a, asked.b, asked.key)
        labels = (asked.from_label or None, asked.to_label or None)
        after = asked.cursor or None
        flips = list_flips(connection, asked.a, asked.b, asked.key, *labels, _IMAGES, after)
    except (JobError, UsageError) as error:
        return nothing | {"error_text": str(error)}
    return {"error_text": "", **_describe(found, asked), **_show_page(flips, asked)}


def _describe(found: Comparison, asked: Asked) -> dict[str, Any]:
    one, two = found.a.job, found.b.job
    tallies = found.tallies
    others = (
        (f"Failed in {one} alone", tallies.failed_a),
        (f"Failed in {two} alone", tallies.failed_b),
        ("Failed in both", tallies.failed_both),
        ("Open", found.open),
        (f"Only in {one}", found.only_a),
        (f"Only in {two}", found.only_b),
    )
    chosen = (asked.from_label, asked.to_label)
    kinds = [
        {
            "from_label": flip.from_label,
            "to_label": flip.to_label,
            "images": flip.images,
            "chosen": (flip.from_label, flip.to_label) == chosen,
            "href": asked.href(flip.from_label, flip.to_label),
        }
        for flip in found.flips[:_FLIPS]
    ]
    return {
        "found": found,
        "others": [(name, images) for name, images in others if images],
        "kinds": kinds,
        "more": len(found.flips) - len(kinds),
        "chosen": chosen if any(chosen) else None,
        "all_href": asked.href(),
    }


def _show_page(flips: FlipPage, asked: Asked) -> dict[str, Any]:
    labels, number = (asked.from_label, asked.to_label), asked.number
    following = flips.next_cursor and asked.href(*labels, cursor=flips.next_cursor, page=number + 1)
    return {
        "rows": flips.rows,
        "first": asked.href(*labels) if asked.cursor else None,
        "next": following,
        "page": number,
    }
