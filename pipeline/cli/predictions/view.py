"""A finished image as people read it: as a row, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.output import printable

if TYPE_CHECKING:
    from pipeline.queries.details import ResultRow
    from pipeline.records import ImageResult

#: The columns of ``result_row``.
HEADINGS = ("job", "uri", "custom id", "label", "score", "error")
#: Those of them that are numbers.
NUMBERS = frozenset({"score"})


def result_row(row: ResultRow) -> list[str]:
    """Return the image's cells under ``HEADINGS``: rank 1, or why it failed."""
    result = row.result
    label, score, error = "", "", ""
    if result.predictions:
        label, score = result.predictions[0].label, f"{result.predictions[0].score:.4f}"
    if result.error:
        error = f"{result.error.code}: {result.error.message}"
    return [row.job, result.uri, result.custom_id or "", label, score, error]


def result_text(result: ImageResult) -> str:
    """Return the image's uri over ``label  score`` lines; a failure is one line."""
    name = printable(result.uri)
    if result.custom_id is not None:
        name += f" ({printable(result.custom_id)})"
    if result.error:
        return f"{name}  {result.error.code}: {printable(result.error.message)}"
    found = result.predictions or ()
    width = max((len(p.label) for p in found), default=0)
    return "\n".join([name, *(f"  {p.label:<{width}}  {p.score:.4f}" for p in found)])
