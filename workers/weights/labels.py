"""Labels: one text for each class, unique within a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.errors import WeightsError

#: torchvision's categories, made unique.
_IMAGENET = Path(__file__).with_name("imagenet.txt")

#: ImageNet's usual list of names has ``crane`` (517 is the machine) and ``maillot`` twice; these
#: are torchvision's words for the bird and the tank suit.
_UNIQUE = {134: ("crane", "crane bird"), 639: ("maillot", "maillot tank suit")}


def imagenet_labels(classes: int) -> tuple[str, ...]:
    """Return ImageNet's 1,000 labels, or nothing when ``classes`` is another number."""
    if classes != 1000:
        return ()
    return tuple(_IMAGENET.read_text(encoding="utf-8").splitlines())


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels of a text file, one a line. Raises WeightsError when it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"the labels file {path} cannot be read ({error}); it takes one label a line"
        ) from None
    labels = tuple(line.strip() for line in lines)
    while labels and not labels[-1]:
        labels = labels[:-1]
    if "" in labels:
        raise WeightsError(f"line {labels.index('') + 1} of {path} is empty; give it a label")
    return _made_unique(labels)


def stored_labels(path: Path) -> tuple[str, ...]:
    """Return the labels that a safetensors file carries in its metadata, or nothing."""
    if path.suffix != ".safetensors":
        return ()
    try:
        with safe_open(path, framework="np") as file:
            found = json.loads((file.metadata() or {}).get("labels", "[]"))
    except (SafetensorError, ValueError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _made_unique(names: Sequence[str]) -> tuple[str, ...]:
    labels = list(names)
    for index, (ambiguous, unique) in _UNIQUE.items():
        if len(labels) == 1000 and labels[index] == ambiguous:
            labels[index] = unique
    return tuple(labels)
