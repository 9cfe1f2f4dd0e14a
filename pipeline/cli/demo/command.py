"""`imagemill demo`: a whole job on pictures drawn for it, judged by what was drawn."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.endings import leave, stop
from pipeline.cli.options import DatabaseUrl, Device, examples
from pipeline.cli.output import say
from pipeline.cli.reading import opened
from pipeline.cli.run.progress import show_progress
from pipeline.errors import JobError, UsageError

if TYPE_CHECKING:
    from pipeline.records import ImageResult

EPILOG = examples("imagemill demo", "imagemill demo --count 1000 --seed 11 --folder /tmp/demo")
#: The job's name, and the weights that know what is drawn.
DEMO = "demo"
Folder = Annotated[Path, typer.Option(metavar="FOLDER", help="Draw into this folder.")]
Count = Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Pictures to draw.")]
# Seeds 1 and 2 drew the pictures that the model was trained and measured on.
Seed = Annotated[int, typer.Option(metavar="N", min=3, help="Another seed draws other pictures.")]


def demo(
    folder: Folder = Path("imagemill-demo"),
    count: Count = 300,
    seed: Seed = 7,
    device: Device = None,
    database_url: DatabaseUrl = None,
) -> None:
    """See it work on pictures drawn for it.

    Draws pictures that the demo model has never seen, classifies them, and judges the
    answers. Five broken files are among them, as in any real folder. Needs no internet.
    """
    from pipeline import api
    from pipeline.cli.demo.report import show_demo

    pictures = folder / "pictures"
    drop_last_demo(database_url)
    say(f"drawing {count:,} pictures, and 5 broken files, into {pictures}")
    draw(pictures, count, seed)
    try:
        with show_progress() as display:
            report = api.run(
                [str(pictures)],
                name=DEMO,
                on_storing=display.show_stored,
                on_progress=display.update,
                weights=DEMO,
                device=device,
                database_url=database_url,
            )
    except BaseException:
        if not stop.code:
            raise
        say("stopped; `imagemill demo` starts anew")
        leave(stop.code)
    show_demo(report, read_results(database_url), folder / "contact-sheet.png", display.meter)


def draw(pictures: Path, count: int, seed: int) -> None:
    """Draw the pictures and the broken files; an earlier demo's are removed, nothing else is.

    Raises UsageError when the folder cannot be written.
    """
    from workers.demo.drawing import true_label, write_broken_pictures, write_pictures

    try:
        for old in list(pictures.glob("*.jpg")):
            if true_label(old):
                old.unlink()
        write_pictures(pictures, count, seed)
        write_broken_pictures(pictures)
    except OSError as error:
        raise UsageError(
            f"cannot draw into {pictures}: {error.strerror}; give a --folder"
        ) from error


def drop_last_demo(database_url: str | None) -> None:
    """Delete the last demo's job; JobError when the name belongs to a job of another kind."""
    from pipeline.queries.jobs import find_job
    from pipeline.removal import remove_job

    with opened(database_url) as database:
        with database.reading() as connection:
            last = find_job(connection, DEMO)
        if last is None:
            return
        if last.model_name != DEMO:
            raise JobError(
                "a job named 'demo' that is none of imagemill's demos is in the way; "
                "give IMAGEMILL_DATABASE_URL another database"
            )
        remove_job(database, last)


def read_results(database_url: str | None) -> "list[ImageResult]":
    """Return what became of the demo's files, in order."""
    from pipeline.queries.filters import PredictionFilter
    from pipeline.queries.results import iterate_results

    with opened(database_url) as database:
        return list(iterate_results(database, PredictionFilter(job=DEMO)))
