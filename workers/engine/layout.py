"""The layout of an engine: how many processes, streams and images suit this machine."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import torch

from pipeline.config import Settings
from pipeline.errors import UsageError
from pipeline.fetch.limits import limits_of
from pipeline.known.answers import KnownAnswers
from pipeline.records import Provenance
from workers.classifier.making import NamedClassifier, list_engines, make_classifier
from workers.decoder import Decoder
from workers.engine.engine import Engine, EngineOptions
from workers.memory import allow_many_files, keep_memory
from workers.weights import load_model

#: What decides about an image's scores beside the model itself; stored with each chunk.
_LIBRARIES = ("imagemill", "torch", "torchvision", "pillow", "simplejpeg")


def start_engine(weights: Path, settings: Settings, *, reuse: bool = True) -> Engine:
    """Start an engine for a weights file, laid out for this machine where nothing was set.

    With ``reuse`` it may be asked for the answers of bytes that the database knows.

    Raises WeightsError as ``load_model`` does, UsageError when the device is not there.
    """
    keep_memory()
    allow_many_files()
    device = find_device(settings.device)
    options = plan_layout(device, settings)
    classifier = _make_classifier(weights, settings, device, options.streams)
    known = KnownAnswers(settings.database_url) if reuse else None
    decoder = Decoder(settings.precision, settings.max_pixels, limits_of(settings), known)
    origin = Provenance(
        engine=classifier.name,
        device=str(device),
        versions={name: version(name) for name in _LIBRARIES},
    )
    return Engine(classifier, decoder, options, origin)


def _make_classifier(
    weights: Path, settings: Settings, device: torch.device, streams: int
) -> NamedClassifier:
    engine = settings.engine or list_engines(settings.precision, device)[0]
    return make_classifier(load_model(weights), settings.precision, device, engine, streams)


def plan_layout(device: torch.device, settings: Settings) -> EngineOptions:
    """Return the layout for ``device``: small batches in a CPU's caches, big ones on a GPU."""
    cores = count_cores()
    on_gpu = device.type == "cuda"
    return EngineOptions(
        max_batch=settings.max_batch or (256 if on_gpu else 16),
        max_wait_ms=settings.max_wait_ms,
        loaders=settings.loaders or (cores if on_gpu else max(1, cores // 2)),
        streams=2 if on_gpu else cores,
        piece=32 if on_gpu else 8,
        image_timeout_s=settings.image_timeout_s,
        downloads=settings.downloads,
        url_timeout_s=settings.url_timeout_s,
        loader_memory=settings.loader_memory,
        loader_images=settings.loader_images,
    )


def find_device(name: str) -> torch.device:
    """Return the device of that name; ``all`` without a GPU is the CPU.

    Raises UsageError when this machine has none such.
    """
    device = pick_device("auto" if name == "all" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise UsageError(
            f"--device {name}: this machine has {found} CUDA devices; try --device cpu"
        )
    return device


def pick_device(name: str) -> torch.device:
    """Return the torch device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def count_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
