"""The options of a storm: what was asked for, and the times that its cluster lives by."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storm.servers import Servers

#: The name of the mark in the environment of every process of a cluster.
MARK = "IMAGEMILL_TEST_STORM"


@dataclass(frozen=True, slots=True)
class Options:
    """What one storm was told; times in seconds. The product's own defaults are in brackets."""

    #: The first one decides about the jobs, too.
    seeds: tuple[int, ...]
    seconds: float
    folder: Path
    faults: tuple[str, ...]
    workers: int = 2
    producers: int = 2
    #: An engine that reads and computes nothing.
    null: bool = False
    #: The rule that is broken on purpose.
    broken: str | None = None
    #: How long the cluster may get nowhere, once the faults are over.
    patience_s: float = 60.0
    #: [120, 30, 300, 60]
    lease_s: float = 4.0
    sweep_s: float = 1.0
    resend_s: float = 5.0
    drain_s: float = 10.0
    #: When Redis gives a message that was not acknowledged to somebody else. [300]
    visibility_s: float = 10.0

    def environment(self, servers: Servers) -> dict[str, str]:
        """Return the environment of the cluster's processes: no setting of the user's is in it."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("IMAGEMILL_")}
        settings = {
            "DATABASE_URL": servers.postgres.url,
            "BROKER_URL": servers.broker_url,
            "WEIGHTS": "demo",
            "LEASE_S": self.lease_s,
            "SWEEP_S": self.sweep_s,
            "RESEND_S": self.resend_s,
            "DRAIN_S": self.drain_s,
            "TUNE": "false",
        }
        added = {f"IMAGEMILL_{name}": str(value) for name, value in settings.items()}
        own = {"XDG_DATA_HOME": str(self.folder / "data"), MARK: self.mark}
        return kept | added | own

    @property
    def mark(self) -> str:
        """What ``MARK`` is set to."""
        return f"{os.getpid()}-{self.folder.name}"
