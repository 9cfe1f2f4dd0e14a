"""A chunk in somebody's hands, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk in somebody's hands: the token is the fence that every later write must name."""

    job_id: int
    number: int
    token: int
    first: int
    last: int
    retries: int
    lost: int = 0

    @property
    def attempt(self) -> int:
        """Which attempt at the chunk this is, from 1: retries and losses before it count."""
        return 1 + self.retries + self.lost


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a chunk was made: the batches it rode in, stage times in ms, and what computed it.

    ``queue_wait_ms`` is the longest wait of one of its images between decoding and its batch;
    the stage times are sums over its images (forward: each batch's time, shared by its images).
    """

    batch_sizes: tuple[int, ...] = ()
    queue_wait_ms: float = 0.0
    read_ms: float = 0.0
    decode_ms: float = 0.0
    forward_ms: float = 0.0
    engine: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
