"""Roots: the folders that both a process and a job allow local paths in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A root that nothing lies below.
NOWHERE = Path("/dev/null/nowhere")


def narrow(own: tuple[Path, ...], asked: tuple[Path, ...] | None) -> tuple[Path, ...]:
    """Return the folders that are below a root of both (``own`` empty: anywhere; None: likewise).

    It never widens: where the two have nothing in common, the answer is ``NOWHERE``.
    """
    if asked is None:
        return own
    if not own:
        return asked or (NOWHERE,)
    pairs = [(one, other) for one in own for other in asked]
    both = [one for one, other in pairs if is_below(one, (other,))]
    both += [other for one, other in pairs if is_below(other, (one,))]
    return tuple(dict.fromkeys(both)) or (NOWHERE,)


def is_below(path: str | Path, roots: Iterable[Path]) -> bool:
    """Return whether a path, its links resolved, is one of the roots or below one."""
    real = os.path.realpath(path)
    tops = (os.path.realpath(root).rstrip("/") for root in roots)
    return any(real == top or real.startswith(f"{top}/") for top in tops)
