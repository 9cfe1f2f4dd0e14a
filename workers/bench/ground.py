"""The ground of a bench: pictures, weights, layout and processes that every round stands on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.config import Settings
from pipeline.errors import UsageError
from pipeline.records import Dispatch, JobSpec
from pipeline.sources import SourceOptions
from workers.bench.crew import Crew
from workers.bench.loading import leave_out_broken
from workers.bench.pictures import Pictures, find_pictures
from workers.classifier.making import NamedClassifier, make_classifier
from workers.cores import count_cores
from workers.devices import find_device
from workers.memory import allow_many_files, keep_memory
from workers.specs import make_spec
from workers.tuning.choice import Choice, Given
from workers.tuning.tuning import tune
from workers.weights import Weights, find_weights, read_state


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: ``folder`` None draws pictures; ``images`` in each job."""

    settings: Settings
    folder: Path | None
    images: int
    rounds: int
    peers: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """What every round needs; ``settings`` lay an engine out as ``choice`` says."""

    settings: Settings
    weights: Weights
    spec: JobSpec
    choice: Choice
    device: torch.device
    cores: int
    crew: Crew
    classifier: NamedClassifier
    pictures: Pictures


def lay_ground(wish: Wish, scratch: Path, held: ExitStack, tell: Callable[[str], None]) -> Ground:
    """Prepare a bench; what has to be ended is ``held``.

    Raises what pictures, weights and device have to say (ImagemillError).
    """
    keep_memory()
    allow_many_files()
    device, cores = find_device(wish.settings.device), count_cores()
    weights = find_weights(wish.settings.weights, wish.settings.labels)
    tell("drawing pictures" if wish.folder is None else f"looking at the pictures of {wish.folder}")
    found = find_pictures(wish.folder, wish.images, scratch / "pictures")
    crew = held.enter_context(closing(Crew(cores, wish.settings.loader_memory * 2**20)))
    pictures = leave_out_broken(crew, found, wish.settings)
    if not pictures.uris:
        raise UsageError(f"none of the {pictures.left_out} pictures can be decoded; give others")
    tell("choosing a layout for this machine")
    choice = _choose(weights, wish.settings, device)
    settings = _laid_out(wish.settings, choice)
    classifier = make_classifier(
        read_state(weights.path), settings.precision, device, choice.engine, choice.streams
    )
    spec = make_spec(settings, weights, (), SourceOptions(), None, Dispatch.LOCAL)
    return Ground(settings, weights, spec, choice, device, cores, crew, classifier, pictures)


def _choose(weights: Weights, settings: Settings, device: torch.device) -> Choice:
    given = Given.of(settings)
    return tune(weights.path, None, settings.precision, device, measure=True, given=given)


def _laid_out(settings: Settings, choice: Choice) -> Settings:
    return settings.model_copy(
        update={
            "engine": choice.engine,
            "max_batch": choice.max_batch,
            "loaders": choice.loaders,
            "piece": choice.piece,
            # An answer from the database would not be measured.
            "reuse": False,
        }
    )
