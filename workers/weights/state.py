"""A state dict: the tensors of a weights file, read without running what may be hidden in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from pipeline.errors import WeightsError
from workers.mobilenet import list_shapes
from workers.weights.published import NAMES, reason

#: Float32 tensors (and integer counters) by torchvision's names.
State = dict[str, npt.NDArray[Any]]


def read_state(path: Path) -> State:
    """Return the state dict of a ``.safetensors``, ``.pt`` or ``.pth`` file, in float32, checked.

    Raises WeightsError: unreadable, a pickle with code in it, no MobileNet v2, or not finite.
    """
    try:
        loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is no file here, and none of {', '.join(NAMES)}; give --weights one of these"
        ) from None
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights ({reason(error)})") from None
    except Exception:
        # Code in a pickle is an UnpicklingError; bytes that are no pickle raise whatever comes.
        raise WeightsError(
            f"{path} is no plain state dict of tensors (code in it is never run); "
            "save `model.state_dict()`, best as .safetensors"
        ) from None
    state = {key: _as_float32(value) for key, value in loaded.items()}
    _check_layout(state, path)
    return state


def count_classes(state: State) -> int:
    """Return the number of classes of a checked state dict."""
    return len(state["classifier.1.bias"])


def _load_safetensors(path: Path) -> State:
    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        if not any(file.get_slice(name).get_dtype() == "BF16" for name in names):
            return {name: file.get_tensor(name) for name in names}
    from safetensors.torch import load_file  # NumPy knows no bfloat16

    return _as_arrays(load_file(path))


def _load_pickle(path: Path) -> State:
    if not path.exists():
        raise FileNotFoundError  # before the seconds that importing torch takes
    import torch

    return _as_arrays(_unwrap(torch.load(path, map_location="cpu", weights_only=True)))


def _as_arrays(tensors: dict[str, Any]) -> State:
    from torch import Tensor

    found = {key: value for key, value in tensors.items() if isinstance(value, Tensor)}
    return {k: (v.float() if v.is_floating_point() else v).numpy() for k, v in found.items()}


def _unwrap(loaded: Any) -> dict[str, Any]:
    """Trainers often save the state dict inside a dict, or of a wrapped module."""
    while isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        return {}
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def _as_float32(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def _check_layout(state: State, path: Path) -> None:
    bias = state.get("classifier.1.bias")
    wanted = list_shapes(len(bias) if bias is not None and bias.ndim == 1 else 1000)
    wrong = [key for key, shape in wanted.items() if key not in state or state[key].shape != shape]
    unknown = state.keys() - wanted.keys()
    if wrong or unknown:
        example = wrong[0] if wrong else min(unknown)
        raise WeightsError(
            f"{path} is no MobileNet v2 in torchvision's layout "
            f"({len(wrong) + len(unknown)} tensors differ, for example {example!r})"
        )
    broken = [k for k, v in state.items() if v.dtype.kind == "f" and not np.isfinite(v).all()]
    if broken:
        raise WeightsError(f"{path} holds NaN or infinity (in {broken[0]!r}); train it anew")
