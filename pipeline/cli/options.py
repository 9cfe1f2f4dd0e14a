"""The options that commands share: each declared once; None means not given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.records import Precision

if TYPE_CHECKING:
    from pipeline.sources import SourceOptions


def examples(*lines: str) -> str:
    """Return a command's epilog: example lines that stay as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE", hidden=True),
]
UriColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The manifest's column of paths or URLs.  [default: uri, url, path, image, ...]",
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The manifest's column of your own ids, echoed as custom_id."
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Take only what matches; may be repeated."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Leave out what matches; may be repeated."),
]

Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The job's name: the same name again goes on with it."),
]
WeightsName = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="NAME|FILE",
        help="demo, IMAGENET1K_V1, IMAGENET1K_V2, or a fine-tuned .safetensors or .pt file."
        "  [default: IMAGENET1K_V1]",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="One label a line, for a fine-tuned model."),
]
ChosenPrecision = Annotated[
    Precision | None,
    typer.Option(
        "--precision",
        help="exact: the reference to the last digit; auto: its answers, faster; fast: half "
        "precision.  [default: auto]",
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(metavar="N", help="Predictions kept for each image.  [default: 5]"),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.  [default: auto]"),
]
ChunkSize = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Images saved in one transaction.  [default: 64 in run, 256 in submit]"
    ),
]
MaxBatch = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Images in one forward pass at most.  [default: what suits the device]"
    ),
]
MaxWaitMs = Annotated[
    float | None,
    typer.Option(
        metavar="MS",
        help="How long a batch that is not full waits, from its first image on.  [default: 20]",
    ),
]
Loaders = Annotated[
    int | None,
    typer.Option(metavar="N", help="Loader processes.  [default: what suits the machine]"),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(metavar="N", help="Width x height of a picture at most.  [default: 178956970]"),
]
SkipKnown = Annotated[
    bool,
    typer.Option(
        "--skip-known",
        help="Leave out what has an answer of this model already, unless it has changed.",
    ),
]
Reuse = Annotated[
    bool | None,
    typer.Option(
        "--reuse", help="Bytes that this model has seen before take their answer from the database."
    ),
]
AllowPrivateHosts = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Names, addresses and networks inside that may be connected to.  [default: none]",
    ),
]
AllowPorts = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="Ports of URLs that are allowed beside 80 and 443.  [default: none]"
    ),
]
Schemes = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="Schemes of object stores that are read.  [default: s3,gs,az]"
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:///FILE or postgresql://...  [default: a SQLite file in your data folder]",
    ),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="redis://HOST:PORT/NUMBER.  [default: redis://localhost:6379/0]"
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 when an image failed, too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

# Arguments are told of in a command's own text: typer would show them as Python types.
JobKey = Annotated[str, typer.Argument(metavar="JOB", hidden=True)]


def source_options(
    uri_column: str | None,
    id_column: str | None,
    include: list[str] | None,
    exclude: list[str] | None,
) -> "SourceOptions":
    """Return what was said about how to read the sources."""
    from pipeline.sources import SourceOptions

    return SourceOptions(uri_column, id_column, tuple(include or ()), tuple(exclude or ()))
