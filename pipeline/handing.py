"""What is handed in beside the sources of a job: references one by one, and what binds them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Reference


def no_references() -> Iterator[Reference]:
    """Return no reference at all."""
    return iter(())


def _let_pass(references: Iterable[Reference]) -> Iterator[Reference]:
    return iter(references)


@dataclass(frozen=True, slots=True)
class Handed:
    """References that no source names, and what the job keeps of how they came.

    ``digest`` tells these references from others. ``screen`` is what every reference of the job
    goes through before it is stored; what it raises ends the submission. ``options`` are stored
    with the job's own.
    """

    digest: str = ""
    references: Callable[[], Iterator[Reference]] = no_references
    screen: Callable[[Iterable[Reference]], Iterator[Reference]] = _let_pass
    options: Mapping[str, Any] = field(default_factory=dict)

    def add_to(self, sources_hash: str) -> str:
        """Return a hash (hex) of the sources and of what was handed in beside them."""
        if not self.digest:
            return sources_hash
        return hashlib.sha256(f"{sources_hash} {self.digest}".encode()).hexdigest()


#: Of a job of sources alone.
NOTHING = Handed()
