"""The bound: what the stages allow at most, if nothing else took any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: What limits when it is no stage of its own: all cores together.
CORES = "the cores"


@dataclass(frozen=True, slots=True)
class StageCost:
    """What a stage takes of the cores for one image, in seconds of one core.

    ``images_per_s`` is the limit of what the stage has for itself: a GPU, or the one writer of
    the embedded database. None: it has nothing but the cores.
    """

    name: str
    core_s: float
    images_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """Images/s at most, and what limits them: ``the cores``, or a stage by its name."""

    images_per_s: float
    limit: str


def find_bound(stages: Sequence[StageCost], cores: int) -> Bound:
    """Return the bound of stages that share ``cores``.

    Stages that share the cores add up; what works beside them counts as the smallest of all.
    """
    limits = {stage.name: stage.images_per_s for stage in stages if stage.images_per_s}
    limits[CORES] = cores / sum(stage.core_s for stage in stages)
    limit = min(limits, key=lambda name: limits[name])
    return Bound(limits[limit], limit)
