"""What a submission asks for, and whether a job that is there is the same."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.database.database import Database
from pipeline.errors import JobError
from pipeline.fetch.limits import limits_of
from pipeline.handing import NOTHING, Handed
from pipeline.known.images import KnownImages
from pipeline.records import Dispatch, Job, JobSpec, Priority
from pipeline.sources import SourceOptions, list_folder_sources, sources_hash
from workers.identity import identify
from workers.weights import Weights

#: Images in one chunk, where nothing was set. A broker's message costs more than a local claim.
RUN_CHUNK, SUBMIT_CHUNK = 64, 256


def make_spec(
    settings: Settings,
    weights: Weights,
    sources: tuple[str, ...],
    source_options: SourceOptions,
    name: str | None,
    dispatch: Dispatch,
    priority: Priority = Priority.BULK,
    max_failure_rate: float | None = None,
    skip_known: bool = False,
    handed: Handed = NOTHING,
) -> JobSpec:
    """Return what is stored of a submission."""
    usual = RUN_CHUNK if dispatch is Dispatch.LOCAL else SUBMIT_CHUNK
    chunk_size = settings.chunk_size or usual
    options: dict[str, object] = {
        "sources": list(sources),
        "folders": list_folder_sources(sources),
        "weights": settings.weights if weights.name == settings.weights else str(weights.path),
        "labels": str(settings.labels.absolute()) if settings.labels else None,
        "top_k": settings.top_k,
        "chunk_size": chunk_size,
        "max_pixels": settings.max_pixels,
        "max_bytes": settings.max_bytes,
        "skip_known": skip_known or None,
        "reuse": settings.reuse or None,
        **handed.options,
    }
    return JobSpec(
        name=name,
        model=identify(weights, settings.precision),
        options=options,
        sources_hash=handed.add_to(sources_hash(sources, source_options)),
        chunk_size=chunk_size,
        dispatch=dispatch,
        priority=priority,
        retries=settings.retries,
        max_failure_rate=max_failure_rate,
    )


def find_known(database: Database, settings: Settings, spec: JobSpec) -> KnownImages | None:
    """Return what leaves known images out of a job, if its options say so."""
    if not spec.options["skip_known"]:
        return None
    return KnownImages(database, spec.model, settings.top_k, limits_of(settings))


def check_same(job: Job, spec: JobSpec) -> None:
    """Raise JobError unless ``job`` is what ``spec`` asks for."""
    made = (job.model_sha256, job.precision, job.preprocessing)
    asked = (spec.model.sha256, spec.model.precision, spec.model.preprocessing)
    if job.dispatch != spec.dispatch:
        others = {Dispatch.BROKER: "the cluster's workers", Dispatch.LOCAL: "`imagemill run`"}
        difference = f"is carried by {others[job.dispatch]}"
    elif job.sources_hash != spec.sources_hash:
        difference = "has other sources, columns or filters"
    elif made != asked or job.options.get("labels") != spec.options["labels"]:
        difference = "has another model (its weights, labels, precision or preprocessing differ)"
    elif job.options.get("top_k") != spec.options["top_k"]:
        difference = f"keeps {job.options.get('top_k')} predictions of each image (--top-k)"
    else:
        return
    raise JobError(f"job {job.handle!r} {difference}; choose another --name, or ask for the same")
