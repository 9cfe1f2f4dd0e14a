"""What a command says: the answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime


#: A cell of at most this many characters is not folded on a terminal.
_SHORT = 16
_WIDE = 10_000


def answer(text: str) -> None:
    """Write one line (or several) of the answer."""
    typer.echo(text)


def answer_json(value: object) -> None:
    """Write one JSON value on a line of its own."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def say(text: str) -> None:
    """Write what is not the answer: progress, hints, complaints."""
    typer.echo(text, err=True)


def survive_any_encoding() -> None:
    """Let a character that the terminal's encoding lacks be escaped, not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return the text on one line, control characters escaped: a file may be named anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()
) -> None:
    """Write a table: by rich on a terminal, else columns padded with spaces and never cut.

    ``right`` names the headings of the columns that stand to the right. A column of which every
    cell is empty is left out.
    """
    columns = [
        (heading, *map(printable, cells)) for heading, *cells in zip(headings, *rows, strict=True)
    ]
    columns = [column for column in columns if any(column[1:])]
    if sys.stdout.isatty():
        _show_rich(columns, right)
    else:
        to_right = [column[0] in right for column in columns]
        answer("\n".join(_aligned(list(zip(*columns, strict=True)), to_right)))


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Write ``name  value`` lines, the values in one column."""
    answer("\n".join(_aligned([[name, printable(value)] for name, value in pairs], [False] * 2)))


def shown_time(moment: datetime | None) -> str:
    """Return a moment in this machine's time zone, to the second; nothing for None."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def shown_rate(images_per_s: float | None) -> str:
    """Return a rate with one decimal; nothing for None."""
    return "" if images_per_s is None else f"{images_per_s:,.1f}"


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def _show_rich(columns: Sequence[Sequence[str]], right: Collection[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for heading, *cells in columns:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            # A short cell stays whole; what is long is folded.
            min_width=min(_SHORT, max(map(len, [heading, *cells]))),
            overflow="fold",
        )
    for row in zip(*(cells for _, *cells in columns), strict=True):
        # Text, not markup: square brackets in a file's name are the name's own.
        table.add_row(*map(Text, row))
    console = Console()
    wide = console.options.update(width=_WIDE)
    # On a narrow terminal rich would cut cells off; the terminal itself wraps them.
    console.width = max(console.width, Measurement.get(console, wide, table).minimum)
    console.print(table)
