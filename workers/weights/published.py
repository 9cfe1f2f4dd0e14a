"""The checkpoints that have a name: ours, and those that torchvision publishes."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.error import URLError

from pipeline.errors import WeightsError
from workers.weights.hashing import file_sha256

#: The checkpoint that ships in the package.
DEMO = Path(__file__).parents[1] / "demo" / "demo.safetensors"

#: torchvision's files; the last word of each is the beginning of its SHA-256.
PUBLISHED = {
    "IMAGENET1K_V1": "mobilenet_v2-b0353104.pth",
    "IMAGENET1K_V2": "mobilenet_v2-7ebf99e0.pth",
}

#: What ``--weights`` takes beside a file.
NAMES = ("demo", *PUBLISHED)


def download_weights(name: str) -> Path:
    """Return the local file of a named checkpoint, fetched by torchvision when it is not cached.

    The progress bar goes to standard error; the hash that torchvision publishes is checked.
    Raises WeightsError when the file cannot be fetched or a cached one is damaged.
    """
    path = cached_path(name)
    if name == "demo":
        return path
    try:
        if not path.exists():
            _fetch(name)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{name} is not cached and cannot be downloaded ({reason(error)}); "
            f"go online once and run `imagemill weights download {name}`, "
            "or give --weights a file, or demo"
        ) from None
    _check_published_hash(path)
    return path


def is_downloaded(name: str) -> bool:
    """Return whether a checkpoint that torchvision publishes is in its cache."""
    return cached_path(name).exists()


def cached_path(name: str) -> Path:
    """Return where the file of a named checkpoint is, or will be: torch's own cache."""
    if name == "demo":
        return DEMO
    # What torch.hub.get_dir() says, without the seconds that importing torch takes.
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(caches, "torch")  # noqa: PTH118
    return Path(home).expanduser() / "hub" / "checkpoints" / PUBLISHED[name]


def reason(error: Exception) -> str:
    """Return the first line of an error's text, for the middle of a sentence."""
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__


def _fetch(name: str) -> None:
    from torchvision.models import MobileNet_V2_Weights  # it takes seconds to import

    MobileNet_V2_Weights[name].get_state_dict(progress=True, check_hash=True)


def _check_published_hash(path: Path) -> None:
    prefix = path.stem.rpartition("-")[2]
    if not file_sha256(path).startswith(prefix):
        raise WeightsError(f"the cached {path} is damaged; delete it and run the command again")
