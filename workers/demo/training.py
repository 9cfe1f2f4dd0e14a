"""Training of the demo model: MobileNet v2 from scratch, on pictures that this package draws.

Run it with `python -m workers.demo.training [--output FILE]`.

The checkpoint that ships was made in two runs on an AMD EPYC (2 cores, AVX512-BF16, shared with
other work): the first two stages in 49 minutes (43 of CPU time; 98.65 % of 2,000 pictures never
seen), then the last one, by `--start`, in 11 minutes. Drawn with seed 1; 99.70 % of 2,000 pictures
of seed 2.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy, interpolate
from torchvision.models import mobilenet_v2

from workers.demo.accuracy import load_model, measure_accuracy, normalise
from workers.demo.checkpoint import CHECKPOINT, write_checkpoint
from workers.demo.crops import Crops, draw_crops
from workers.demo.drawing import LABELS
from workers.memory import keep_memory

#: Pictures drawn, and the seeds that they are drawn from.
TRAINING_COUNT, TRAINING_SEED = 9600, 1
HELD_OUT_COUNT, HELD_OUT_SEED = 2000, 2


@dataclass(frozen=True)
class Stage:
    """A part of the training: `steps` batches of `batch` pictures, `size_px` a side."""

    size_px: int
    batch: int
    steps: int
    rate: float


#: Most steps see small pictures, which is quick; the later ones get used to the real size.
STAGES = (Stage(96, 48, 1600, 3e-3), Stage(224, 24, 160, 3e-4), Stage(224, 24, 300, 1e-3))

_STARTED = time.perf_counter()


def main() -> None:
    """Draw, train, store, and print the accuracy of what was stored."""
    parser = argparse.ArgumentParser(description="Train the demo model.")
    parser.add_argument("--output", type=Path, default=CHECKPOINT)
    parser.add_argument("--start", type=Path, help="only the last stage, from this checkpoint on")
    options = parser.parse_args()
    output: Path = options.output
    keep_memory()
    torch.manual_seed(TRAINING_SEED)
    _say("drawing")
    crops = draw_crops(TRAINING_COUNT, TRAINING_SEED)
    if options.start:
        model = train(load_model(options.start), crops, STAGES[-1:])
    else:
        model = train(mobilenet_v2(num_classes=len(LABELS), dropout=0.1), crops, STAGES)
    write_checkpoint(model.state_dict(), LABELS, output)
    _say("drawing pictures never seen")
    accuracy = measure_accuracy(load_model(output), draw_crops(HELD_OUT_COUNT, HELD_OUT_SEED))
    _say(f"accuracy {accuracy:.2%} on {HELD_OUT_COUNT} pictures, {output}")


def train(model: nn.Module, crops: Crops, stages: Sequence[Stage]) -> nn.Module:
    """Return the model trained on uint8 crops (n, 3, 224, 224) and int64 label indices (n,)."""
    model.to(memory_format=torch.channels_last)
    for stage in stages:
        run_stage(model, crops, stage)
    settle_statistics(model, crops)
    return model.eval()


def run_stage(model: nn.Module, crops: Crops, stage: Stage) -> None:
    """Train for one stage, with one cycle of the learning rate."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=stage.rate, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, stage.rate, total_steps=stage.steps)
    model.train()
    drawn = islice(batches(crops, stage.size_px, stage.batch), stage.steps)
    for step, (pixels, truth) in enumerate(drawn):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = cross_entropy(model(pixels).float(), truth, label_smoothing=0.05)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        cycle.step()
        if step % 50 == 49:
            _say(f"{stage.size_px} px, step {step + 1} of {stage.steps}: loss {loss.item():.3f}")


@torch.no_grad()
def settle_statistics(model: nn.Module, crops: Crops, steps: int = 40) -> None:
    """Replace the batch norms' running statistics by plain means at the real size, in float32."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over all batches
    model.train()
    for pixels, _ in islice(batches(crops, 224, 32, shift_px=0), steps):
        model(pixels)


def batches(crops: Crops, size_px: int, batch: int, shift_px: int = 20) -> Iterator[Crops]:
    """Yield shuffled batches for ever: half of them mirrored, shifted and scaled a little."""
    images, labels = crops
    while True:
        for picked in torch.split(torch.randperm(len(labels)), batch):
            chosen = images[picked]
            top, left, short = torch.randint(0, shift_px // 2 + 1, (3,)).tolist()
            side = 224 - shift_px // 2 - short
            chosen = chosen[..., top : top + side, left : left + side]
            chosen = chosen.flip(-1) if torch.rand(()) < 0.5 else chosen
            yield _resized(normalise(chosen), size_px), labels[picked]


def _resized(pixels: torch.Tensor, size_px: int) -> torch.Tensor:
    if pixels.shape[-1] == size_px:
        return pixels
    return interpolate(pixels, (size_px, size_px), mode="bilinear", antialias=True)


def _say(message: str) -> None:
    sys.stderr.write(f"{time.perf_counter() - _STARTED:6.0f} s  {message}\n")


if __name__ == "__main__":
    main()
