"""Rounds: every stage, the whole and the peers in turn, and once more.

Not each of them several times: what else runs on the machine for a while disturbs all alike.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from workers.bench.forward import time_forward
from workers.bench.ground import Ground
from workers.bench.loading import time_loading
from workers.bench.peers.running import Peer, PeerRates
from workers.bench.peers.task import Task
from workers.bench.report import OURS
from workers.bench.store import time_store
from workers.bench.transfer import time_transfer
from workers.bench.whole import time_whole

#: Pictures that a peer gets at most, from all over the folder: some take a minute for a thousand.
_PEER_IMAGES = 400


class Rounds:
    """What was measured so far, by name: seconds of one core for an image, or images/s.

    ``rates`` are those of stages and of the whole; ``peers`` has what others do.
    """

    def __init__(self, ground: Ground, images: int, tell: Callable[[str], None]) -> None:
        self._ground = ground
        self._uris = ground.pictures.repeated(images)
        self._tell = tell
        self.core_s: dict[str, list[float]] = defaultdict(list)
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.peers = PeerRates()

    def go(self, peers: Sequence[Peer]) -> None:
        """Measure everything once."""
        self._tell("each stage alone")
        self._load()
        self._compute()
        with tempfile.TemporaryDirectory(prefix="imagemill-bench-") as folder:
            self._store(Path(folder))
            self._tell("the whole pipeline")
            ground = self._ground
            rate = time_whole(
                self._uris, ground.weights, ground.spec, ground.settings, Path(folder)
            )
        self.rates[OURS].append(rate)
        for peer in peers:
            self._tell(peer.name)
            self.peers.measure(peer, self._task())

    def _load(self) -> None:
        settings, choice = self._ground.settings, self._ground.choice
        cost = time_loading(self._ground.crew, self._uris, settings)
        self.core_s["read"].append(cost.read_s)
        self.core_s["decode"].append(cost.decode_s)
        self.core_s["resize"].append(cost.resize_s)
        memory = settings.loader_memory * 2**20
        moved_s = time_transfer(len(self._uris), choice.loaders, choice.piece, memory)
        self.core_s["transfer"].append(moved_s)

    def _compute(self) -> None:
        choice, top_k = self._ground.choice, self._ground.settings.top_k
        images = len(self._uris)
        cost = time_forward(
            self._ground.classifier, images, choice.max_batch, choice.streams, top_k
        )
        self.core_s["forward"].append(cost.core_s)
        self.rates["forward"].append(cost.images_per_s)

    def _store(self, folder: Path) -> None:
        cost = time_store(self._uris, self._ground.spec, folder)
        self.core_s["store"].append(cost.core_s)
        self.rates["store"].append(cost.images_per_s)

    def _task(self) -> Task:
        ground = self._ground
        return Task(
            ground.pictures.spread_out(min(_PEER_IMAGES, len(self._uris))),
            str(ground.weights.path),
            str(ground.device),
            ground.cores,
        )
