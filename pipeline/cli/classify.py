"""`imagemill classify`: the answers for a few pictures; saves nothing."""

from pipeline.cli import options as take
from pipeline.cli.endings import FAILED, leave
from pipeline.cli.output import answer, answer_json
from pipeline.cli.predictions.view import result_text

EPILOG = take.examples(
    "imagemill classify dog.jpg",
    "imagemill classify photos/*.jpg --top-k 1",
    "find . -name '*.png' | imagemill classify - --json",
)


def classify(
    sources: take.Sources,
    weights: take.WeightsName = None,
    labels: take.Labels = None,
    precision: take.ChosenPrecision = None,
    top_k: take.TopK = None,
    device: take.Device = None,
    max_batch: take.MaxBatch = None,
    max_wait_ms: take.MaxWaitMs = None,
    loaders: take.Loaders = None,
    max_pixels: take.MaxPixels = None,
    allow_private_hosts: take.AllowPrivateHosts = None,
    allow_ports: take.AllowPorts = None,
    schemes: take.Schemes = None,
    uri_column: take.UriColumn = None,
    id_column: take.IdColumn = None,
    include: take.Include = None,
    exclude: take.Exclude = None,
    strict: take.Strict = False,
    as_json: take.AsJson = False,
) -> None:
    """Print the best labels of a few pictures.

    A SOURCE is a file, a folder, a glob, a URL, a manifest (.txt .csv .tsv .jsonl .parquet, also
    .gz), or - for standard input. Nothing is saved.

    With --json: one object a line, with uri, custom_id, predictions (or null)
    and error (or null).
    """
    from pipeline import api

    results = api.classify(
        sources,
        source_options=take.source_options(uri_column, id_column, include, exclude),
        weights=weights,
        labels=labels,
        precision=precision,
        top_k=top_k,
        device=device,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        loaders=loaders,
        max_pixels=max_pixels,
        allow_private_hosts=allow_private_hosts,
        allow_ports=allow_ports,
        schemes=schemes,
    )
    failed = False
    for result in results:
        answer_json(result.as_dict()) if as_json else answer(result_text(result))
        failed = failed or result.error is not None
    if failed and strict:
        leave(FAILED)
