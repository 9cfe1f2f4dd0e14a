"""`imagemill predictions`: what was found in the pictures."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import AsJson, DatabaseUrl, examples
from pipeline.cli.output import answer, answer_json, say, show_table
from pipeline.cli.predictions import filters as by
from pipeline.cli.predictions.files import ExportFormat, choose_format, destination
from pipeline.cli.predictions.view import HEADINGS, NUMBERS, result_row
from pipeline.cli.reading import opened, reading
from pipeline.queries.orders import Order

app = typer.Typer(
    help="List, count and export predictions.",
    epilog=examples(
        "imagemill predictions list --job holiday --label Samoyed --min-score 0.5",
        "imagemill predictions export --job holiday --output holiday.parquet",
    ),
)
Sort = Annotated[
    Order, typer.Option(help="By score: of one job, and of what was classified alone.")
]
Limit = Annotated[int, typer.Option(metavar="N", help="Show this many at most.")]
Cursor = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Go on where a page ended; the page before says it."),
]


@app.command(
    "list",
    epilog=examples(
        "imagemill predictions list --job holiday --label Samoyed",
        "imagemill predictions list --job holiday --failed",
        "imagemill predictions list --job holiday --label Samoyed --sort least-certain",
        "imagemill predictions list --uri '/data/2024/*' --job holiday --json",
    ),
)
def list_predictions(
    job: by.Job = None,
    label: by.Label = None,
    min_score: by.MinScore = None,
    max_score: by.MaxScore = None,
    uri: by.Uri = None,
    custom_id: by.CustomId = None,
    failed: by.Failed = None,
    code: by.Code = None,
    sort: Sort = Order.INDEX,
    limit: Limit = 50,
    cursor: Cursor = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List images with label and score, or why they failed.

    A page at a time, in the order of the job; with `--uri "...*"` in that of the uris,
    with `--sort` by the score of the best answer.
    """
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.results import list_results

    wanted = PredictionFilter(job, label, min_score, max_score, uri, custom_id, code, failed)
    with reading(database_url) as connection:
        page = list_results(connection, wanted, limit, cursor, sort)
    if as_json:
        rows = [row.as_dict() for row in page.rows]
        answer_json({"predictions": rows, "next_cursor": page.next_cursor})
        return
    if not page.rows:
        say("nothing found")
        return
    show_table(HEADINGS, map(result_row, page.rows), right=NUMBERS)
    if page.next_cursor:
        say(f"there is more: the same command with --cursor {page.next_cursor}")


@app.command(
    "count",
    epilog=examples(
        "imagemill predictions count --job holiday --label Samoyed --min-score 0.5",
        "imagemill predictions count --job holiday --failed",
    ),
)
def count_predictions(
    job: by.Job = None,
    label: by.Label = None,
    min_score: by.MinScore = None,
    max_score: by.MaxScore = None,
    uri: by.Uri = None,
    custom_id: by.CustomId = None,
    failed: by.Failed = None,
    code: by.Code = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Count the finished images that match."""
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.results import count_results

    wanted = PredictionFilter(job, label, min_score, max_score, uri, custom_id, code, failed)
    with reading(database_url) as connection:
        number = count_results(connection, wanted)
    if as_json:
        answer_json({"count": number})
    else:
        answer(str(number))


@app.command(
    "export",
    epilog=examples(
        "imagemill predictions export --job holiday --output holiday.parquet",
        "imagemill predictions export --job holiday --format csv > holiday.csv",
        "imagemill predictions export --job holiday --failed | jq -r .uri",
    ),
)
def export_predictions(
    job: by.OneJob,
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="[default: as --output is named, else jsonl]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write here.  [default: standard output]"),
    ] = None,
    label: by.Label = None,
    min_score: by.MinScore = None,
    max_score: by.MaxScore = None,
    uri: by.Uri = None,
    custom_id: by.CustomId = None,
    failed: by.Failed = None,
    code: by.Code = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write a job's images as CSV, JSONL or Parquet.

    All finished ones that match, failures included. It streams: a job of any size is
    written at constant memory.
    """
    from pipeline.export.rows import export
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.results import find_top_k, iterate_results

    chosen = choose_format(format_, output)
    wanted = PredictionFilter(job, label, min_score, max_score, uri, custom_id, code, failed)
    with opened(database_url) as database:
        results = iterate_results(database, wanted)
        with database.reading() as connection:
            top_k = find_top_k(connection, wanted)
        with destination(output) as file:
            written = export(results, chosen, file, top_k)
    if output is not None:
        say(f"{written:,} images written to {output} as {chosen}")
