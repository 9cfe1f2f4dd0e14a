"""`imagemill run`: a whole job here, without a server."""

import sys

from pipeline.cli import options as take
from pipeline.cli.endings import leave, stop
from pipeline.cli.output import answer_json, say
from pipeline.cli.run.progress import show_progress
from pipeline.cli.run.report import exit_code, say_next, show_report, stop_sentence
from pipeline.job_json import as_dict

EPILOG = take.examples(
    "imagemill run photos/ --name holiday",
    "imagemill run shop.csv --uri-column path --id-column sku --name shop",
    "imagemill run photos/ --skip-known",
    "imagemill run 'scans/**/*.png' --weights tuned.safetensors --labels labels.txt",
)


def run(
    sources: take.Sources,
    name: take.Name = None,
    skip_known: take.SkipKnown = False,
    reuse: take.Reuse = None,
    weights: take.WeightsName = None,
    labels: take.Labels = None,
    precision: take.ChosenPrecision = None,
    top_k: take.TopK = None,
    device: take.Device = None,
    chunk_size: take.ChunkSize = None,
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
    database_url: take.DatabaseUrl = None,
    strict: take.Strict = False,
    as_json: take.AsJson = False,
) -> None:
    """Classify pictures and save every answer.

    A SOURCE is a file, a folder, a glob, a URL, a manifest (.txt .csv .tsv .jsonl .parquet, also
    .gz), or - for standard input.

    The whole job is done here, without any server. Pictures that cannot be read
    are failures with a code; they stop nothing. After Ctrl-C or a crash the same command with the
    same --name goes on where it stopped.
    """
    from pipeline import api

    try:
        with show_progress() as display:
            report = api.run(
                sources,
                name=name,
                source_options=take.source_options(uri_column, id_column, include, exclude),
                skip_known=skip_known,
                on_storing=display.show_stored,
                on_progress=display.update,
                database_url=database_url,
                reuse=reuse,
                weights=weights,
                labels=labels,
                precision=precision,
                top_k=top_k,
                device=device,
                chunk_size=chunk_size,
                max_batch=max_batch,
                max_wait_ms=max_wait_ms,
                loaders=loaders,
                max_pixels=max_pixels,
                allow_private_hosts=allow_private_hosts,
                allow_ports=allow_ports,
                schemes=schemes,
            )
    except BaseException as error:
        job = error.job if isinstance(error, api.Interrupted) else display.job
        if not stop.code or job is None:
            raise
        say(stop_sentence(job, sys.argv[1:]))
        leave(stop.code)
    if as_json:
        answer_json(as_dict(report.job, report.failures, report.job.histogram))
    else:
        show_report(report, display.meter)
        say_next(report.job)
    leave(exit_code(report.job, strict))
