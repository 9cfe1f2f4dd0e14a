"""Which references are near, and read when their turn comes, and which are far away."""

from __future__ import annotations

from pipeline.references import find_scheme

#: Schemes of what lies on this machine; the archives' are those of local files.
_NEAR = frozenset((None, "file", "tar", "zip"))
_WEB = frozenset(("http", "https"))


def is_far(uri: str) -> bool:
    """Tell whether a reference leads to another machine, known scheme or not."""
    return "://" in uri and find_scheme(uri) not in _NEAR


def is_web(uri: str) -> bool:
    """Tell whether a reference is downloaded by HTTP."""
    return find_scheme(uri) in _WEB
