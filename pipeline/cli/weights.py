"""`imagemill weights`: the weights files that models are made of."""

from typing import Annotated

import typer

from pipeline.cli.options import AsJson, Labels, examples
from pipeline.cli.output import answer, answer_json, show_pairs
from pipeline.errors import UsageError

app = typer.Typer(
    help="Download and show weights.",
    epilog=examples("imagemill weights download IMAGENET1K_V1", "imagemill weights show demo"),
)
Wanted = Annotated[str | None, typer.Argument(metavar="WEIGHTS", hidden=True)]


@app.command(
    epilog=examples(
        "imagemill weights download",
        "imagemill weights download IMAGENET1K_V2",
    )
)
def download(weights: Wanted = None) -> None:
    """Fetch weights once, and print where they are.

    WEIGHTS is IMAGENET1K_V1 (the default) or IMAGENET1K_V2; their hash is checked. From then on
    they are used offline.
    """
    from pipeline.config import load_settings
    from workers.weights import NAMES, download_weights

    name = load_settings(weights=weights).weights
    if name not in NAMES:
        raise UsageError(f"{name} cannot be downloaded; one of {', '.join(NAMES)} can")
    answer(str(download_weights(name)))


@app.command(
    epilog=examples(
        "imagemill weights show demo",
        "imagemill weights show fine-tuned.safetensors --labels labels.txt --json",
    )
)
def show(weights: Wanted = None, labels: Labels = None, as_json: AsJson = False) -> None:
    """Show a model's weights: path, SHA-256, labels.

    WEIGHTS is demo, IMAGENET1K_V1 (the default), IMAGENET1K_V2, or a file.
    """
    from pipeline.config import load_settings
    from workers.weights import find_weights

    settings = load_settings(weights=weights, labels=labels)
    found = find_weights(settings.weights, settings.labels)
    if as_json:
        answer_json(
            {
                "name": found.name,
                "path": str(found.path),
                "sha256": found.sha256,
                "labels": list(found.labels),
            }
        )
        return
    show_pairs(
        [
            ("weights", found.name),
            ("path", str(found.path)),
            ("sha256", found.sha256),
            ("labels", _outline(found.labels)),
        ]
    )


def _outline(labels: tuple[str, ...], most: int = 10) -> str:
    shown = ", ".join(labels[:most])
    return f"{len(labels):,}: {shown}" + (", ..." if len(labels) > most else "")
