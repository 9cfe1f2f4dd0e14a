"""What a peer is told on its standard input, and how it answers on its standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """The pictures (absolute paths), the weights file, the torch device, and the CPU cores."""

    pictures: list[str]
    weights: str
    device: str
    cores: int

    def as_json(self) -> str:
        """Return what ``read_task`` reads."""
        return json.dumps(asdict(self))


def read_task() -> Task:
    """Return what the bench wants of this peer."""
    return Task(**json.load(sys.stdin))


def tell(images_per_s: float) -> None:
    """Answer; it is the last line that counts."""
    sys.stdout.write(f"\n{json.dumps({'images_per_s': images_per_s})}\n")
    sys.stdout.flush()


def hear(output: str) -> float:
    """Return the images/s that a peer told. Raises ValueError when it told none."""
    lines = output.strip().splitlines()
    told = json.loads(lines[-1]) if lines else {}
    if not isinstance(told, dict) or "images_per_s" not in told:
        raise ValueError("it told no rate")
    return float(told["images_per_s"])
