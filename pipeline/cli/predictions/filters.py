"""The options that choose among predictions."""

from typing import Annotated

import typer

Job = Annotated[str | None, typer.Option(metavar="JOB", help="Of this job (name or id).")]
OneJob = Annotated[str, typer.Option("--job", metavar="JOB", help="The job (name or id).")]
Label = Annotated[str | None, typer.Option(metavar="TEXT", help="Whose best answer is this label.")]
MinScore = Annotated[
    float | None, typer.Option(metavar="0..1", help="Whose best answer scores at least this.")
]
MaxScore = Annotated[
    float | None, typer.Option(metavar="0..1", help="Whose best answer scores at most this.")
]
Uri = Annotated[
    str | None,
    typer.Option(
        metavar="URI", help="Of this image; with * at its end, of all that begin so (in a job)."
    ),
]
CustomId = Annotated[str | None, typer.Option(metavar="ID", help="With your own id.")]
Failed = Annotated[
    bool | None,
    typer.Option("--failed/--classified", help="Only failures, or only what was classified."),
]
Code = Annotated[
    str | None, typer.Option(metavar="CODE", help="Failed with this code, say not_found.")
]
