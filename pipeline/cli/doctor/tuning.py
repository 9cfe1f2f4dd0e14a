"""How `imagemill doctor` finds out by which layout a worker would start here, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Settings

#: What to do where there is nothing measured yet.
_ADVICE = "nothing: a worker measures at its start; `imagemill doctor --tune` does it now"


def find_layout(settings: Settings, *, anew: bool) -> tuple[str, str]:
    """Return the layout with its reason, and what to do about it; ``anew``: measured now.

    The weights must be here: nothing is downloaded. Raises what finding them raises.
    """
    from workers.devices import find_device
    from workers.memory import keep_memory
    from workers.tuning.choice import Given
    from workers.tuning.tuning import tune
    from workers.weights import NAMES, find_weights, is_downloaded

    if settings.weights in NAMES and not is_downloaded(settings.weights):
        return "it depends on the weights, which are not downloaded yet", ""
    keep_memory()
    path = find_weights(settings.weights, settings.labels).path
    given = Given.of(settings)
    device = find_device(settings.device)
    choice = tune(path, None, settings.precision, device, measure=anew, given=given, anew=anew)
    advice = "" if choice.measured or given.is_whole else _ADVICE
    return f"{choice.summary} ({choice.why})", advice
