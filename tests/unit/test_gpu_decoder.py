"""The decoder of a GPU, on a CPU: what it moves, what it gives back, and where there is one."""

from __future__ import annotations

import io

import pytest
import torch
from broken_pictures import draw_picture, encode
from PIL import Image
from plain_side import PlainSide
from torch import Tensor

from pipeline.records import Failure, Precision
from workers import gpu_decode, gpu_decoder
from workers.decode import decode
from workers.gpu_decoder import GpuDecoder, make_gpu_decoder
from workers.jpegs import Jpeg, as_jpeg

MAX_PIXELS = 178_956_970
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
DATA = encode(draw_picture(320, 240), "JPEG")

# torchvision's decoders are to move to another package.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def jpeg() -> Jpeg:
    with Image.open(io.BytesIO(DATA)) as picture:
        found = as_jpeg(DATA, picture)
    assert found
    return found


def refuse(files: list[Tensor], device: torch.device) -> list[Tensor]:
    raise RuntimeError("Error while decoding JPEG images: Failed to decode batch: 2")


def test_what_is_decoded_already_is_moved_to_the_device() -> None:
    pixels = torch.zeros(224, 224, 3, dtype=torch.uint8)
    found = GpuDecoder(torch.device("meta"), PlainSide(), MAX_PIXELS)([pixels, pixels])
    assert [each.device.type for each in found if isinstance(each, Tensor)] == ["meta", "meta"]


def test_a_jpeg_that_is_broken_gets_the_cpus_own_failure() -> None:
    good = jpeg()
    bad = good._replace(data=good.data[:900])
    found = GpuDecoder(CPU, PlainSide(), MAX_PIXELS)([good, bad])
    assert isinstance(found[0], Tensor)
    assert isinstance(found[1], Failure)
    assert found[1].code == "truncated"


def test_a_jpeg_that_the_device_refuses_is_decoded_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_decode, "_decode_all", refuse)
    (found,) = GpuDecoder(CPU, PlainSide(), MAX_PIXELS)([jpeg()])
    assert isinstance(found, Tensor)
    assert torch.equal(found, decode(DATA, Precision.FAST, MAX_PIXELS)[0])


def test_there_is_one_for_fast_on_cuda_alone() -> None:
    assert make_gpu_decoder(Precision.FAST, CPU, MAX_PIXELS) is None
    assert make_gpu_decoder(Precision.AUTO, CUDA, MAX_PIXELS) is None


def test_there_is_none_where_torchvision_has_no_decoder(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu_decode, "_decode_all", refuse)
    monkeypatch.setattr(gpu_decoder, "CudaSide", lambda _: PlainSide())
    assert make_gpu_decoder(Precision.FAST, CUDA, MAX_PIXELS) is None
    assert "decoded on the CPU" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(gpu_decoder, "CudaSide", lambda _: PlainSide())
    monkeypatch.setattr(gpu_decoder, "can_decode", lambda _: True)
    assert make_gpu_decoder(Precision.FAST, CUDA, MAX_PIXELS) is not None
