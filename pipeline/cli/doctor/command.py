"""`imagemill doctor`: whether everything that a job needs is there."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.endings import FAILED, leave
from pipeline.cli.options import (
    AsJson,
    ChosenPrecision,
    DatabaseUrl,
    Device,
    Labels,
    WeightsName,
    examples,
)
from pipeline.cli.output import answer_json, say, show_table

EPILOG = examples(
    "imagemill doctor", "imagemill doctor --tune", "imagemill doctor --device cuda --json"
)
Tune = Annotated[
    bool,
    typer.Option("--tune", help="Measure anew how work is best laid out here: a few seconds."),
]
_MARKS = {"fine": "✓", "note": "-", "wrong": "✗"}


def doctor(
    weights: WeightsName = None,
    labels: Labels = None,
    precision: ChosenPrecision = None,
    device: Device = None,
    database_url: DatabaseUrl = None,
    tune: Tune = False,
    as_json: AsJson = False,
) -> None:
    """Check that all that a job needs is here.

    Looks at this machine, the database and the weights, and classifies drawn pictures. Exits
    with 1 when something is wrong, and says what to do about it.
    """
    from pipeline.cli.doctor.checks import Verdict, iterate_checks
    from pipeline.config import load_settings

    settings = load_settings(
        weights=weights,
        labels=labels,
        precision=precision,
        device=device,
        database_url=database_url,
    )
    checks = list(iterate_checks(settings, tune=tune))
    wrong = [check for check in checks if check.verdict is Verdict.WRONG]
    if as_json:
        answer_json({"ok": not wrong, "checks": [asdict(check) for check in checks]})
    else:
        rows = [[_MARKS[c.verdict], c.name, c.found, c.advice] for c in checks]
        show_table(("", "check", "found", "what to do"), rows)
        say(f"{len(wrong)} to put right" if wrong else "all is well")
    if wrong:
        leave(FAILED)
