"""The bench from its pictures to its report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from pipeline.records import Precision
from workers.bench.agreement import Agreement, find_agreement
from workers.bench.bound import StageCost, find_bound
from workers.bench.ground import Ground, Wish, lay_ground
from workers.bench.machine import describe_cpu, describe_device
from workers.bench.peers.running import PEERS, PeerRates
from workers.bench.report import OURS, RateFigures, Report, StageFigures
from workers.bench.rounds import Rounds
from workers.bench.spread import Spread

#: Pictures whose answers are compared with those of ``exact`` at most.
_COMPARED = 200

#: The stages in their order, and what each does.
_STAGES = {
    "read": "a file from the page cache, and its SHA-256",
    "decode": "its bytes to RGB",
    "resize": "to 256, and the centre of 224 x 224",
    "transfer": "pieces of pixels between processes",
    "forward": "batches of pixels to the best classes",
    "store": "outcomes through the ledger into SQLite",
}


def run_bench(wish: Wish, tell: Callable[[str], None]) -> Report:
    """Measure everything; ``tell`` hears what is under way.

    Raises what pictures, weights, device and engine have to say (ImagemillError).
    """
    with ExitStack() as held:
        scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="imagemill-bench-"))
        ground = lay_ground(wish, Path(scratch), held, tell)
        now = [""]
        rounds = Rounds(ground, wish.images, lambda what: tell(f"{now[0]}: {what}"))
        for number in range(1, wish.rounds + 1):
            now[0] = f"round {number} of {wish.rounds}"
            rounds.go(PEERS if wish.peers else ())
        return _report(wish, ground, rounds, _compare(ground, tell))


def _compare(ground: Ground, tell: Callable[[str], None]) -> Agreement | None:
    if ground.settings.precision is Precision.EXACT:
        return None
    tell("comparing the answers with those of --precision exact")
    uris = ground.pictures.spread_out(_COMPARED)
    return find_agreement(uris, ground.weights, ground.classifier, ground.settings)


def _report(wish: Wish, ground: Ground, rounds: Rounds, agreement: Agreement | None) -> Report:
    stages = tuple(
        StageFigures(name, what, Spread.of(rounds.core_s[name]), _spread(rounds.rates, name))
        for name, what in _STAGES.items()
    )
    on_gpu = ground.device.type == "cuda"
    costs = [_cost(stage, on_gpu=on_gpu) for stage in stages]
    ours = RateFigures(OURS, _spread(rounds.rates, OURS))
    peers = [_rate(rounds.peers, peer.name) for peer in (PEERS if wish.peers else ())]
    return Report(
        cpu=describe_cpu(),
        cores=ground.cores,
        device=describe_device(ground.device),
        precision=ground.settings.precision.value,
        weights=ground.weights.name,
        images=wish.images,
        different=len(ground.pictures.uris),
        drawn=ground.pictures.drawn,
        left_out=ground.pictures.left_out,
        rounds=wish.rounds,
        engine=ground.classifier.name,
        choice=ground.choice,
        stages=stages,
        bound=find_bound(costs, ground.cores),
        rates=(ours, *peers),
        agreement=agreement,
    )


def _cost(stage: StageFigures, *, on_gpu: bool) -> StageCost:
    # Forward passes on a CPU have nothing but the cores, and those are counted already.
    own = None if stage.name == "forward" and not on_gpu else stage.images_per_s
    return StageCost(stage.name, stage.core_s.median, own.median if own else None)


def _rate(peers: PeerRates, name: str) -> RateFigures:
    return RateFigures(name, _spread(peers.rates, name), peers.reasons.get(name, ""))


def _spread(rates: Mapping[str, list[float]], name: str) -> Spread | None:
    found = rates.get(name)
    return Spread.of(found) if found else None
