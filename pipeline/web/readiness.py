"""Readiness: what was last found out about the services, kept for a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Readiness:
    """How database and broker were at ``seen_at`` (monotonic seconds); hold the lock."""

    database: str = "away"
    broker: str = "away"
    seen_at: float = float("-inf")
    lock: Lock = field(default_factory=Lock)
