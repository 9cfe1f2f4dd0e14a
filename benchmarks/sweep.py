"""The hand sweep: every layout of the real engine in turn, and where the tuned one stands.

    .venv/bin/python benchmarks/sweep.py FOLDER [--weights FILE] [--precision auto]
        [--engines openvino torch] [--batches 4 8 16 32] [--loaders 1 2] [--pieces 4 8 16]
        [--images 500] [--rounds 3] [--keep 8]

The first round takes every layout; the later ones, in turn, the best of it and the tuned one. Each
is an engine of its own in this process, warmed, that stores nothing. Prints the medians, the best
first, and the tuned layout's share of the best.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import cycle, islice, product
from pathlib import Path
from typing import NamedTuple

import torch
from servers import print_table

from pipeline.config import Settings, load_settings
from pipeline.fetch.limits import limits_of
from pipeline.records import ImageRef
from workers.classifier.making import EngineName, list_engines, make_classifier
from workers.cores import count_cores
from workers.decoder import Decoder
from workers.devices import find_device
from workers.engine.engine import Engine, EngineOptions
from workers.memory import allow_many_files, keep_memory
from workers.tuning.choice import Choice, Given
from workers.tuning.choosing import CPU_BATCHES, GPU_BATCHES, count_streams
from workers.tuning.tuning import tune
from workers.weights import find_weights, read_state

#: Images in one request, as `run` has them in a chunk.
_CHUNK = 64


class Layout(NamedTuple):
    engine: EngineName
    max_batch: int
    loaders: int
    piece: int


class Sweep:
    """Measures layouts over the same pictures with the same weights."""

    def __init__(self, options: argparse.Namespace, device: torch.device) -> None:
        self.settings: Settings = load_settings(precision=options.precision)
        self.device = device
        self.path = find_weights(options.weights).path
        self.state = read_state(self.path)
        files = sorted(str(path.absolute()) for path in options.folder.iterdir())
        uris = islice(cycle(files), options.images)
        self.images = [ImageRef(n, uri) for n, uri in enumerate(uris)]

    def choice(self) -> Choice:
        """Return the layout that this machine was tuned to, measured anew."""
        return tune(
            self.path,
            self.state,
            self.settings.precision,
            self.device,
            measure=True,
            given=Given(),
            anew=True,
        )

    def rate(self, layout: Layout) -> float:
        """Return the images/s of an engine that is laid out so."""
        with closing(self._start(layout)) as engine:
            carry(engine, self.images[: max(_CHUNK, len(self.images) // 5)])
            started = time.perf_counter()
            carry(engine, self.images)
            return len(self.images) / (time.perf_counter() - started)

    def _start(self, layout: Layout) -> Engine:
        settings, streams = self.settings, count_streams(count_cores(), on_gpu=is_gpu(self.device))
        options = EngineOptions(
            layout.max_batch,
            settings.max_wait_ms,
            layout.loaders,
            streams,
            layout.piece,
            settings.image_timeout_s,
        )
        classifier = make_classifier(
            self.state, settings.precision, self.device, layout.engine, streams
        )
        decoder = Decoder(settings.precision, settings.max_pixels, limits_of(settings))
        return Engine(classifier, decoder, options)


def main() -> None:
    keep_memory()
    allow_many_files()
    options = read_options()
    device = find_device(options.device)
    sweep = Sweep(options, device)
    choice = sweep.choice()
    tuned = Layout(choice.engine, choice.max_batch, choice.loaders, choice.piece)
    print(f"tuned: {choice.summary} ({choice.why})", flush=True)
    rates: dict[Layout, list[float]] = {}
    left: Sequence[Layout] = [*dict.fromkeys([tuned, *list_layouts(options, device)])]
    for number in range(options.rounds):
        for layout in left:
            rates.setdefault(layout, []).append(sweep.rate(layout))
        print(f"round {number + 1}: {len(left)} layouts", flush=True)
        left = [*dict.fromkeys([tuned, *sort(rates, left)[: options.keep]])]
    show(rates, sort(rates, left), tuned)


def list_layouts(options: argparse.Namespace, device: torch.device) -> Iterable[Layout]:
    """Yield every layout that was asked for."""
    cores = count_cores()
    engines = options.engines or list_engines(
        load_settings(precision=options.precision).precision, device
    )
    batches = options.batches or sorted(GPU_BATCHES if is_gpu(device) else CPU_BATCHES)
    loaders = options.loaders or sorted({1, -(-cores // 4), -(-cores // 2), cores})
    pieces = options.pieces or ((16, 32) if is_gpu(device) else (4, 8, 16))
    return (Layout(*each) for each in product(engines, batches, loaders, pieces))


def carry(engine: Engine, images: Sequence[ImageRef]) -> None:
    """Wait until all are classified; a picture that fails is an error here."""
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    for future in [engine.submit(chunk, 5) for chunk in chunks]:
        for outcome in future.result().outcomes:
            assert not outcome.failure, outcome.failure


def sort(rates: dict[Layout, list[float]], left: Iterable[Layout]) -> list[Layout]:
    """Return the layouts, the best median first."""
    return sorted(left, key=lambda layout: -statistics.median(rates[layout]))


def show(rates: dict[Layout, list[float]], best: Sequence[Layout], tuned: Layout) -> None:
    """Print a row for each that was measured in every round, and how good the tuned one is."""
    rows = []
    for layout in best:
        numbers = [f"{of(rates[layout]):.1f}" for of in (statistics.median, min, max)]
        mark = "tuned" if layout == tuned else ""
        rows.append([layout.engine, *map(str, layout[1:]), *numbers, mark])
    print_table(["", "max batch", "loaders", "piece", "images/s", "lowest", "highest", ""], rows)
    share = statistics.median(rates[tuned]) / statistics.median(rates[best[0]])
    print(f"the tuned layout has {100 * share:.0f} % of the best")


def is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engines", nargs="+")
    for name in ("batches", "loaders", "pieces"):
        parser.add_argument(f"--{name}", nargs="+", type=int)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=int, default=8, help="layouts of the later rounds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
