"""`imagemill compare`: two jobs over the same images."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import AsJson, DatabaseUrl, examples
from pipeline.cli.output import answer, answer_json, say, show_pairs, show_table
from pipeline.cli.reading import reading
from pipeline.compare.keys import JoinKey
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.compare.comparison import Comparison
    from pipeline.compare.flips import FlipRow
    from pipeline.compare.sides import Side

EPILOG = examples(
    "imagemill compare holiday holiday-exact",
    "imagemill compare march april --by custom-id --limit 20",
    "imagemill compare holiday holiday-exact --json | jq .agreement",
)
#: Pairs of labels that are shown; --json has them all.
_TOP = 10
_NAMES = {JoinKey.URI: "uri", JoinKey.CUSTOM_ID: "custom id"}


def compare(
    a: Annotated[str, typer.Argument(metavar="A", hidden=True)],
    b: Annotated[str, typer.Argument(metavar="B", hidden=True)],
    by: Annotated[
        JoinKey, typer.Option("--by", help="What makes two images the same one.")
    ] = JoinKey.URI,
    limit: Annotated[
        int, typer.Option(metavar="N", help="Show this many flipped images at most.")
    ] = 10,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Compare what two jobs found in the same images: two models, precisions or dates.

    A and B are names or ids of jobs. An image is flipped when its best label in A is another in
    B; those of which A is least certain come first.
    """
    from pipeline.compare.comparison import compare

    if limit < 0:
        raise UsageError(f"--limit takes 0 or more images, not {limit}")
    with reading(database_url) as connection:
        found = compare(connection, a, b, by)
        if as_json:
            answer_json(found.as_dict())
            return
        rows = _read_flips(connection, found, limit)
    _show(found)
    if rows:
        answer("")
        _show_images(rows)
    for job in found.running:
        say(f"{job} still runs: these are the images that it has finished so far")


def _read_flips(connection: "Connection", found: "Comparison", limit: int) -> "list[FlipRow]":
    from pipeline.compare.flips import list_flips

    a, b = found.a.job_id, found.b.job_id
    rows: list[FlipRow] = []
    cursor = None
    while len(rows) < min(limit, found.flipped):
        page = list_flips(connection, a, b, found.by, limit=limit - len(rows), cursor=cursor)
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    return rows


def _show(found: "Comparison") -> None:
    tallies = found.tallies
    agreement = "" if found.agreement is None else f" ({100 * found.agreement:.2f} %)"
    change = "" if tallies.score_change is None else f"{tallies.score_change:+.4f} on average"
    failed = f"{tallies.failed_a:,} in A alone, {tallies.failed_b:,} in B alone"
    lines = [
        ("A", _describe(found.a)),
        ("B", _describe(found.b)),
        ("images", f"{found.images:,} in both by {_NAMES[found.by]}, {found.answered:,} answered"),
        ("agreed", f"{found.agreed:,}{agreement}"),
        ("flipped", f"{found.flipped:,}"),
        ("score", f"{change}, from A to B, where both agree" if change else ""),
        ("failed", f"{failed}, {tallies.failed_both:,} in both"),
        ("open", f"{found.open:,} not finished in both" if found.open else ""),
        ("only in A", f"{found.only_a:,}"),
        ("only in B", f"{found.only_b:,}"),
    ]
    show_pairs((name, text) for name, text in lines if text)
    if found.flips:
        answer("")
        rows = [[flip.from_label, flip.to_label, f"{flip.images:,}"] for flip in found.flips[:_TOP]]
        show_table(("label in A", "label in B", "images"), rows, right={"images"})
    if len(found.flips) > _TOP:
        say(f"{len(found.flips) - _TOP:,} rarer pairs of labels; --json has them all")


def _describe(side: "Side") -> str:
    return f"{side.job}: {side.model} {side.precision}, {side.status}"


def _show_images(rows: "list[FlipRow]") -> None:
    cells = [
        [
            *(row.uri, row.custom_id or "", row.a.label, f"{row.a.score:.4f}"),
            *(row.b.label, f"{row.b.score:.4f}"),
        ]
        for row in rows
    ]
    headings = ("uri", "custom id", "label in A", "score in A", "label in B", "score in B")
    show_table(headings, cells, right={"score in A", "score in B"})
