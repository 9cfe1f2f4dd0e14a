"""The engine with JPEGs that a GPU decodes, on a CPU: the same outcomes as without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from broken_pictures import draw_picture, encode, write_broken_pictures
from echo import OPTIONS, Echo
from plain_side import PlainSide
from torch import Tensor

from pipeline.fetch.limits import FetchLimits
from pipeline.records import Failure, ImageRef, Outcome, Precision
from workers.decoder import Decoder
from workers.engine.engine import Engine
from workers.gpu_decoder import GpuDecoder
from workers.jpegs import Jpeg

MAX_PIXELS = 178_956_970
CPU = torch.device("cpu")

# torchvision's decoders are to move to another package.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


class Counting(GpuDecoder):
    """Counts the JPEGs that were handed over."""

    count = 0

    def __call__(self, pictures: Sequence[Tensor | Jpeg]) -> list[Tensor | Failure]:
        self.count += sum(isinstance(each, Jpeg) for each in pictures)
        return super().__call__(pictures)


def decode_all(folder: Path, names: Sequence[str], gpu: GpuDecoder | None) -> list[Outcome]:
    decoder = Decoder(Precision.FAST, MAX_PIXELS, FetchLimits(2**28), hands_over=gpu is not None)
    engine = Engine(Echo(), decoder, OPTIONS, unpack=gpu)
    try:
        images = [ImageRef(number, str(folder / name)) for number, name in enumerate(names)]
        return list(engine.submit(images, 1).result(60).outcomes)
    finally:
        engine.close()


def test_outcomes_are_the_same_as_without_a_gpu(tmp_path: Path) -> None:
    expected = write_broken_pictures(tmp_path)
    # Its scan is cut short and its end is there: only who decodes it finds out.
    whole = encode(draw_picture(320, 240), "JPEG")
    (tmp_path / "short.jpg").write_bytes(whole[:3000] + b"\xff\xd9")
    names = [*expected, "short.jpg"]
    gpu = Counting(CPU, PlainSide(), MAX_PIXELS)
    there, here = (decode_all(tmp_path, names, each) for each in (gpu, None))
    assert gpu.count >= 8
    for name, one, other in zip(names, there, here, strict=True):
        assert one.failure == other.failure, name
        assert one.facts == other.facts, name
        if not one.failure:
            assert abs(one.scores[0].index - other.scores[0].index) <= 3, name
