"""`imagemill bench`: what this machine does with these pictures, and what it could do at most."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options as take
from pipeline.cli.output import answer, answer_json, say, show_pairs, show_table, shown_rate
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from workers.bench.report import RateFigures, Report, StageFigures

EPILOG = take.examples(
    "imagemill bench photos/",
    "imagemill bench photos/ --precision fast --chart bench.png",
    "imagemill bench --images 300 --rounds 1 --no-peers",
)
Folder = Annotated[Path | None, typer.Argument(metavar="FOLDER", hidden=True)]
Images = Annotated[int, typer.Option(metavar="N", min=16, max=1_000_000, help="Images in a job.")]
Rounds = Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Rounds; medians count.")]
Chart = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png", help="Draw a bar chart into this file.  [default: no chart]"),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="As in run.  [default: IMAGENET1K_V1 for a FOLDER if it is downloaded, else demo]",
    ),
]
Peers = Annotated[
    bool,
    typer.Option("--peers/--no-peers", help="Time what others do with the same pictures, too."),
]


def bench(
    folder: Folder = None,
    images: Images = 1000,
    rounds: Rounds = 3,
    precision: take.ChosenPrecision = None,
    weights: Weights = None,
    labels: take.Labels = None,
    device: take.Device = None,
    chart: Chart = None,
    peers: Peers = True,
    as_json: take.AsJson = False,
) -> None:
    """Measure how fast this machine is, and how fast it could be at most.

    Times each stage alone, the bound that follows from them, the whole pipeline without its
    start-up, and what others make of the same pictures: the first ones in FOLDER, or drawn ones.
    Figures are medians of several rounds, with the lowest and the highest. Nothing is stored in
    your database.
    """
    from pipeline.config import load_settings

    settings = load_settings(precision=precision, weights=weights, labels=labels, device=device)
    _check_chart(chart)
    from workers.bench.bench import run_bench
    from workers.bench.ground import Wish
    from workers.weights import is_downloaded

    # The models take the same time: nobody should have to download one for this.
    if "weights" not in settings.model_fields_set and not (
        folder and is_downloaded(settings.weights)
    ):
        settings = settings.model_copy(update={"weights": "demo"})
    report = run_bench(Wish(settings, folder, images, rounds, peers), say)
    if as_json:
        answer_json(report.as_dict())
    else:
        _show(report)
    if chart:
        _draw(report, chart)


def _check_chart(chart: Path | None) -> None:
    """Find out before minutes of measuring whether its chart has a place to go."""
    if chart is None:
        return
    if chart.suffix.lower() != ".png":
        raise UsageError(f"--chart {chart}: it is a PNG; give a name that ends in .png")
    if not chart.absolute().parent.is_dir():
        raise UsageError(f"--chart {chart}: there is no such folder; make it first")
    from workers.bench.chart import can_draw

    if not can_draw():
        say("no chart without matplotlib; `pip install 'imagemill[bench]'` brings it")


def _draw(report: "Report", chart: Path) -> None:
    from workers.bench.chart import can_draw, draw_chart

    if not can_draw():
        return
    try:
        draw_chart(report, chart)
    except OSError as error:
        raise UsageError(f"--chart {chart}: {error.strerror}; give another file") from error
    say(f"the chart is in {chart}")


def _show(report: "Report") -> None:
    costs = ("core ms", "lowest", "highest", "images/s")
    rows = [_stage_row(stage) for stage in report.stages]
    show_table(("stage", "what", *costs), rows, right=costs)
    answer("")
    rates = ("images/s", "lowest", "highest", "of the bound", "ours is")
    rows = [["the bound", shown_rate(report.bound.images_per_s), "", "", "", "", _limit(report)]]
    rows += [_rate_row(report, rate) for rate in report.rates]
    show_table(("", *rates, "note"), rows, right=rates)
    answer("")
    show_pairs(_facts(report))


def _stage_row(stage: "StageFigures") -> list[str]:
    cost = stage.core_s
    shown = [f"{1000 * each:.3f}" for each in (cost.median, cost.lowest, cost.highest)]
    own = stage.images_per_s
    return [stage.name, stage.what, *shown, shown_rate(own.median if own else None)]


def _rate_row(report: "Report", rate: "RateFigures") -> list[str]:
    found = rate.images_per_s
    rates = (found.median, found.lowest, found.highest) if found else (None, None, None)
    share, times = report.share_of_bound(rate), report.times_slower(rate)
    return [
        rate.name,
        *map(shown_rate, rates),
        "" if share is None else f"{100 * share:.1f} %",
        "" if times is None or rate is report.rates[0] else f"{times:.2f} times",
        rate.reason,
    ]


def _limit(report: "Report") -> str:
    return f"{report.bound.limit}: {report.cores} cores, device {report.device}"


def _facts(report: "Report") -> list[tuple[str, str]]:
    choice = report.choice
    origin = "drawn by the demo; real photos take longer" if report.drawn else "of the folder"
    broken = f"; {report.left_out} that cannot be decoded left out" if report.left_out else ""
    pairs = [
        ("machine", f"{report.cpu}, {report.cores} cores, device {report.device}"),
        ("pictures", f"{report.images:,} ({report.different:,} different ones), {origin}{broken}"),
        ("model", f"{report.weights}, --precision {report.precision}"),
        ("layout", f"{report.engine}: {choice.summary}"),
        ("why", choice.why),
    ]
    if report.agreement:
        images, same = report.agreement
        shown = f"the first label of --precision exact on {same:,} of {images:,} pictures"
        pairs.append(("agreement", shown))
    return pairs
