"""Finds weights by name, file or SHA-256, with the label of each class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import WeightsError
from workers.weights.hashing import file_sha256
from workers.weights.labels import imagenet_labels, read_labels, stored_labels
from workers.weights.published import NAMES, PUBLISHED, cached_path, download_weights
from workers.weights.state import count_classes, read_state


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file that was found, its SHA-256 (hex), and the label of each class."""

    name: str
    path: Path
    sha256: str
    labels: tuple[str, ...]


def find_weights(name: str, labels: Path | None = None) -> Weights:
    """Find weights by name (downloaded once when absent) or file, and check them whole.

    Raises WeightsError in a sentence when they cannot be had, are no MobileNet v2 of torchvision's
    layout, hold a value that is not finite, or do not fit their labels.
    """
    path = download_weights(name) if name in NAMES else Path(name)
    # What torchvision publishes was checked by its hash; to read it takes torch, and seconds.
    classes = 1000 if name in PUBLISHED else count_classes(read_state(path))
    found = read_labels(labels) if labels else stored_labels(path) or imagenet_labels(classes)
    _check_labels(found, classes, path, labels)
    shown = name if name in NAMES else path.stem
    return Weights(shown, path.absolute(), file_sha256(path), found)


def find_by_sha256(sha256: str, *named: str) -> Path | None:
    """Return the weights file with this SHA-256 (hex) among those ``named`` and those cached.

    The first name may be fetched by torchvision. Raises WeightsError when it cannot be.
    """
    first = download_weights(named[0]) if named and named[0] in NAMES else None
    others = (
        cached_path(name) if name in NAMES else Path(name) for name in (*named, *NAMES) if name
    )
    for path in (first, *others):
        if path is not None and path.is_file() and file_sha256(path) == sha256:
            return path
    return None


def _check_labels(found: tuple[str, ...], classes: int, path: Path, file: Path | None) -> None:
    if len(found) != classes:
        origin = f"{file} has {len(found)} labels" if file else "no labels came with it"
        raise WeightsError(
            f"{path} has {classes} classes, but {origin}; "
            f"give --labels a file with {classes} lines, one label each"
        )
    twice = [label for label, count in Counter(found).items() if count > 1]
    if twice:
        raise WeightsError(f"the label {twice[0]!r} stands twice in {file or path}; make it unique")
