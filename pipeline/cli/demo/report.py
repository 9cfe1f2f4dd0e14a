"""What the demo shows: accuracy, a table by label, failures, pace, and a contact sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.demo.answers import find_accuracy, make_cells, read_answers, score_labels
from pipeline.cli.output import answer, say, show_pairs, show_table, shown_rate
from pipeline.cli.run.report import find_pace
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.api import RunReport
    from pipeline.cli.demo.answers import Answer, LabelScore
    from pipeline.cli.run.progress import Meter
    from pipeline.records import ImageResult


def show_demo(report: RunReport, results: Iterable[ImageResult], sheet: Path, meter: Meter) -> None:
    """Write the demo's answer, and the contact sheet into ``sheet``."""
    answers = read_answers(results)
    scores = score_labels(answers)
    _show_labels(scores)
    _show_accuracy(scores)
    _draw_sheet(answers, sheet)
    failures = ", ".join(f"{code} {number}" for code, number in report.failures.items())
    counts = report.job.counts
    show_pairs(
        [
            (
                "images",
                f"{counts.total:,}: {counts.succeeded:,} classified, {counts.failed:,} failed",
            ),
            ("failures", failures or "none"),
            ("images/s", shown_rate(find_pace(report, meter))),
            ("contact sheet", str(sheet)),
        ]
    )
    _say_next(scores)


def _show_labels(scores: Sequence[LabelScore]) -> None:
    rows = [[s.label, str(s.pictures), str(s.right), _percent(s.accuracy)] for s in scores]
    show_table(
        ("label", "pictures", "right", "accuracy"), rows, right={"pictures", "right", "accuracy"}
    )


def _show_accuracy(scores: Sequence[LabelScore]) -> None:
    accuracy = find_accuracy(scores)
    if accuracy is not None:
        answer(typer.style(f"accuracy {_percent(accuracy)}", bold=True))
    answer("")


def _draw_sheet(answers: Sequence[Answer], sheet: Path) -> None:
    from workers.demo.contact_sheet import draw_contact_sheet

    try:
        draw_contact_sheet(make_cells(answers), sheet, columns=15, title="imagemill demo")
    except OSError as error:
        raise UsageError(f"cannot write {sheet}: {error.strerror}; give a --folder") from error


def _say_next(scores: Sequence[LabelScore]) -> None:
    label = scores[0].label if scores else "star"
    say("\nnext, try:")
    say(f"  imagemill predictions list --job demo --label {label} --limit 5")
    say("  imagemill jobs show demo --chunks")
    say("  imagemill predictions export --job demo --output demo.csv")
    say("and to look at them in a browser:")
    say("  imagemill serve")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
