"""The page's own style, script and icon, under an address that changes with their contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def read_assets(folder: Path = FOLDER) -> dict[str, tuple[bytes, str]]:
    """Return every asset by its name: the bytes and their media type."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _TYPES)
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in files}


def find_version(assets: dict[str, tuple[bytes, str]]) -> str:
    """Return twelve digits that change whenever an asset does."""
    digest = hashlib.sha256()
    for name, (content, _) in assets.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]


ASSETS = read_assets()
VERSION = find_version(ASSETS)
