"""The start of an engine, laid out for this machine: its processes, streams, batches and pieces."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config import Settings
from pipeline.fetch.limits import limits_of
from pipeline.known.answers import KnownAnswers
from pipeline.records import Provenance
from workers.classifier.making import make_classifier
from workers.decoder import Decoder
from workers.devices import find_device
from workers.engine.engine import Engine, EngineOptions
from workers.gpu_decoder import make_gpu_decoder
from workers.memory import allow_many_files, keep_memory
from workers.tuning.choice import Choice, Given
from workers.tuning.tuning import tune
from workers.weights import read_state

#: What decides about an image's scores beside the model itself; stored with each chunk.
_LIBRARIES = ("imagemill", "torch", "torchvision", "openvino", "pillow", "simplejpeg")


def start_engine(
    weights: Path, settings: Settings, *, reuse: bool = True, measure: bool = True
) -> Engine:
    """Start an engine for a weights file, laid out for this machine where nothing was set.

    With ``reuse`` it may be asked for the answers of bytes that the database knows. With
    ``measure`` it may take a few seconds to find its layout, the first time on a machine.

    Raises WeightsError as ``read_state`` does, UsageError when the device is not there.
    """
    keep_memory()
    allow_many_files()
    device, precision, state = find_device(settings.device), settings.precision, read_state(weights)
    given = Given.of(settings)
    measure = measure and settings.tune
    choice = tune(weights, state, precision, device, measure=measure, given=given)
    classifier = make_classifier(state, precision, device, choice.engine, choice.streams)
    known = KnownAnswers(settings.database_url) if reuse else None
    unpack = make_gpu_decoder(precision, device, settings.max_pixels)
    limits, hands_over = limits_of(settings), unpack is not None
    decoder = Decoder(precision, settings.max_pixels, limits, known, hands_over)
    origin = Provenance(engine=classifier.name, device=str(device), versions=dict(_list_versions()))
    return Engine(classifier, decoder, plan_layout(choice, settings), origin, unpack)


def plan_layout(choice: Choice, settings: Settings) -> EngineOptions:
    """Return the options of an engine: what was chosen for this machine, and what was set."""
    return EngineOptions(
        max_batch=choice.max_batch,
        max_wait_ms=settings.max_wait_ms,
        loaders=choice.loaders,
        streams=choice.streams,
        piece=choice.piece,
        image_timeout_s=settings.image_timeout_s,
        downloads=settings.downloads,
        url_timeout_s=settings.url_timeout_s,
        loader_memory=settings.loader_memory,
        loader_images=settings.loader_images,
    )


def _list_versions() -> list[tuple[str, str]]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue  # OpenVINO is not everywhere.
    return found
