"""The `imagemill` command: wires its parts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.cli import (
    bench,
    classify,
    compare,
    db,
    endings,
    serve,
    submit,
    tokens,
    weights,
    worker,
)
from pipeline.cli.demo import command as demo
from pipeline.cli.doctor import command as doctor
from pipeline.cli.jobs import commands as jobs
from pipeline.cli.options import examples
from pipeline.cli.output import answer, survive_any_encoding
from pipeline.cli.predictions import commands as predictions
from pipeline.cli.run import command as run


class _Commands(TyperGroup):
    """Typer's group, but for Ctrl-C (typer says nothing) and ``| head`` (typer exits with 1)."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _typer_held_back():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _typer_held_back():
            return super().invoke(ctx)


@contextmanager
def _typer_held_back() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise typer.Exit(endings.hush()) from None
    except KeyboardInterrupt:
        raise typer.Exit(endings.say_stopped()) from None


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=classify.EPILOG)(classify.classify)
app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=submit.EPILOG)(submit.submit)
app.command(epilog=worker.EPILOG)(worker.worker)
app.command(epilog=serve.EPILOG)(serve.serve)
app.add_typer(jobs.app, name="jobs")
app.add_typer(predictions.app, name="predictions")
app.command(epilog=compare.EPILOG)(compare.compare)
app.add_typer(weights.app, name="weights")
app.add_typer(db.app, name="db")
app.add_typer(tokens.app, name="tokens")
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=bench.EPILOG)(bench.bench)
app.command(epilog=demo.EPILOG)(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        answer(f"imagemill {version('imagemill')}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "imagemill demo",
        "imagemill classify dog.jpg",
        "imagemill run photos/ --name holiday",
        "imagemill predictions list --job holiday --label Samoyed",
    ),
)
def _imagemill(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback answers)
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Classify pictures in bulk with MobileNet v2; every answer goes into a SQL database.

    Every option can also be set as IMAGEMILL_<OPTION>, in the environment or in a .env file.
    """
    if context.invoked_subcommand is None:
        answer(context.get_help())


def main() -> None:
    """Run the command line as typed, and leave with its exit code."""
    survive_any_encoding()
    sys.exit(endings.run_to_exit_code(lambda: app(prog_name="imagemill", standalone_mode=False)))


if __name__ == "__main__":
    main()
