"""Weights: a name or a file in, one checked MobileNet v2 and its labels out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from pipeline.errors import WeightsError
from pipeline.records import Model, Precision
from workers.decode import PREPROCESSING
from workers.labels import imagenet_labels, read_labels, stored_labels

#: The checkpoint that ships in the package.
DEMO = Path(__file__).parent / "demo" / "demo.safetensors"

#: What ``--weights`` takes beside a file; torchvision publishes the latter two.
NAMES = ("demo", "IMAGENET1K_V1", "IMAGENET1K_V2")


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
    state = read_state(path)
    classes = len(state["classifier.1.bias"])
    found = read_labels(labels) if labels else stored_labels(path) or imagenet_labels(classes)
    _check_labels(found, classes, path, labels)
    shown = name if name in NAMES else path.stem
    return Weights(shown, path.absolute(), file_sha256(path), found)


def identify(weights: Weights, precision: Precision) -> Model:
    """Return the model that these weights are in one precision."""
    return Model(weights.name, weights.sha256, precision, PREPROCESSING, weights.labels)


def load_model(path: Path) -> nn.Module:
    """Return the MobileNet v2 of a weights file: float32, in evaluation mode, on the CPU.

    It takes float tensors of shape (n, 3, 224, 224) and returns logits of shape (n, classes).
    Raises WeightsError as ``find_weights`` does.
    """
    state = read_state(path)
    model: nn.Module = mobilenet_v2(num_classes=len(state["classifier.1.bias"]))
    model.load_state_dict(state)
    return model.eval()


def download_weights(name: str) -> Path:
    """Return the local file of a named checkpoint, fetched by torchvision when it is not cached.

    The progress bar goes to standard error; the hash that torchvision publishes is checked.
    Raises WeightsError when the file cannot be fetched or a cached one is damaged.
    """
    path = _cached(name)
    if name == "demo":
        return path
    try:
        if not path.exists():
            MobileNet_V2_Weights[name].get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{name} is not cached and cannot be downloaded ({_reason(error)}); "
            f"go online once and run `imagemill weights download {name}`, "
            "or give --weights a file, or demo"
        ) from None
    _check_published_hash(path)
    return path


def find_by_sha256(sha256: str, *named: str) -> Path | None:
    """Return the weights file with this SHA-256 (hex) among those ``named`` and those cached.

    The first name may be fetched by torchvision. Raises WeightsError when it cannot be.
    """
    first = download_weights(named[0]) if named and named[0] in NAMES else None
    others = (_cached(name) if name in NAMES else Path(name) for name in (*named, *NAMES) if name)
    for path in (first, *others):
        if path is not None and path.is_file() and _known_sha256(path) == sha256:
            return path
    return None


def is_downloaded(name: str) -> bool:
    """Return whether a checkpoint that torchvision publishes is in its cache."""
    return _cached(name).exists()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the float32 state dict of a ``.safetensors``, ``.pt`` or ``.pth`` file, checked.

    Raises WeightsError: unreadable, a pickle with code in it, no MobileNet v2, or not finite.
    """
    try:
        loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is no file here, and none of {', '.join(NAMES)}; give --weights one of these"
        ) from None
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights ({_reason(error)})") from None
    except Exception:
        # Code in a pickle is an UnpicklingError; bytes that are no pickle raise whatever comes.
        raise WeightsError(
            f"{path} is no plain state dict of tensors (code in it is never run); "
            "save `model.state_dict()`, best as .safetensors"
        ) from None
    state = _as_float32(_unwrap(loaded))
    _check_layout(state, path)
    return state


def _cached(name: str) -> Path:
    if name == "demo":
        return DEMO
    file = Path(MobileNet_V2_Weights[name].url).name
    return Path(torch.hub.get_dir()) / "checkpoints" / file


def _known_sha256(path: Path) -> str:
    seen = path.stat()
    return _sha256_of(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, _modified_ns: int, _size: int) -> str:
    return file_sha256(path)


def _load_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)


def _load_pickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _unwrap(loaded: Any) -> dict[str, Any]:
    """Trainers often save the state dict inside a dict, or of a wrapped module."""
    while isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        return {}
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def _as_float32(state: dict[str, Any]) -> dict[str, Tensor]:
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _check_layout(state: dict[str, Tensor], path: Path) -> None:
    bias = state.get("classifier.1.bias")
    classes = len(bias) if bias is not None and bias.ndim == 1 else 1000
    with torch.device("meta"):
        wanted = mobilenet_v2(num_classes=classes).state_dict()
    wrong = [k for k, v in wanted.items() if k not in state or state[k].shape != v.shape]
    unknown = state.keys() - wanted.keys()
    if wrong or unknown:
        example = wrong[0] if wrong else min(unknown)
        raise WeightsError(
            f"{path} is no MobileNet v2 in torchvision's layout "
            f"({len(wrong) + len(unknown)} tensors differ, for example {example!r})"
        )
    broken = [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise WeightsError(f"{path} holds NaN or infinity (in {broken[0]!r}); train it anew")


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


def _check_published_hash(path: Path) -> None:
    # torchvision names its files by the first digits of their SHA-256.
    prefix = path.stem.rpartition("-")[2]
    if not file_sha256(path).startswith(prefix):
        raise WeightsError(f"the cached {path} is damaged; delete it and run the command again")


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
