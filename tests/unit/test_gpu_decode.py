"""Decoding in batches as on a GPU, on a CPU: against the decoder of the loader processes."""

from __future__ import annotations

import io

import pytest
import torch
from broken_pictures import draw_picture, encode, encode_frames, rotated_jpeg
from PIL import Image
from torch import Tensor

from pipeline.records import Precision
from workers import gpu_decode
from workers.decode import decode
from workers.gpu_decode import can_decode, decode_batch
from workers.jpegs import MAX_BYTES, Jpeg, as_jpeg

CPU = torch.device("cpu")

# torchvision's decoders are to move to another package.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def look(data: bytes) -> Jpeg | None:
    with Image.open(io.BytesIO(data)) as picture:
        return as_jpeg(data, picture)


def jpeg(data: bytes) -> Jpeg:
    found = look(data)
    assert found
    return found


def photo(width: int, height: int, seed: int = 0) -> bytes:
    return encode(draw_picture(width, height).rotate(90 * seed), "JPEG", quality=90)


def assert_like_the_loaders(found: Tensor | None, data: bytes) -> None:
    expected, _, _ = decode(data, Precision.AUTO, 10**8)
    assert found is not None
    assert found.shape == (224, 224, 3)
    assert found.dtype == torch.uint8
    difference = (found.int() - expected.int()).abs()
    assert difference.max() <= 3
    assert difference.float().mean() < 0.5


def test_pixels_are_those_of_the_loader_processes_whatever_the_sizes() -> None:
    sizes = [(500, 375), (375, 500), (500, 375), (97, 1301), (3000, 20), (240, 200), (1, 1)]
    files = [photo(*size, seed) for seed, size in enumerate(sizes)]
    files.append(encode(draw_picture(300, 200, "L"), "JPEG"))
    found = decode_batch([jpeg(data) for data in files], CPU)
    for pixels, data in zip(found, files, strict=True):
        assert_like_the_loaders(pixels, data)


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_come_upright(turn: int) -> None:
    data = rotated_jpeg(turn)
    assert_like_the_loaders(decode_batch([jpeg(data)], CPU)[0], data)


def test_a_broken_picture_among_good_ones_is_refused_alone() -> None:
    files = [photo(320, 240, seed) for seed in range(5)]
    jpegs = [jpeg(data) for data in files]
    jpegs[3] = jpegs[3]._replace(data=jpegs[3].data[:900])
    found = decode_batch(jpegs, CPU)
    assert found[3] is None
    for place in (0, 1, 2, 4):
        assert_like_the_loaders(found[place], files[place])


def test_pictures_that_are_too_many_at_once_are_decoded_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together: list[int] = []
    decode_all = gpu_decode._decode_all

    def watch(files: list[Tensor], device: torch.device) -> list[Tensor]:
        together.append(len(files))
        return decode_all(files, device)

    monkeypatch.setattr(gpu_decode, "_decode_all", watch)
    monkeypatch.setattr(gpu_decode, "_TOGETHER", 2 * 64 * 48)
    data = encode(draw_picture(), "JPEG")
    found = decode_batch([jpeg(data)] * 5 + [jpeg(photo(300, 300))] + [jpeg(data)], CPU)
    assert together == [2, 2, 1, 1, 1]
    assert len(found) == 7


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no room"), RuntimeError("CUDA error: misaligned address")]
)
def test_what_is_about_the_device_is_blamed_on_no_picture(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(files: list[Tensor], device: torch.device) -> list[Tensor]:
        raise error

    monkeypatch.setattr(gpu_decode, "_decode_all", fail)
    with pytest.raises(type(error), match=str(error)):
        decode_batch([jpeg(photo(64, 64))] * 2, CPU)


def test_nothing_is_decoded_of_nothing() -> None:
    assert decode_batch([], CPU) == []


@pytest.mark.parametrize(
    "data",
    [
        encode(draw_picture(), "PNG"),
        encode_frames("MPO"),
        encode(draw_picture(mode="CMYK"), "JPEG"),
        encode(draw_picture(), "JPEG", progressive=True),
        encode(draw_picture(), "JPEG", keep_rgb=True),
        encode(draw_picture(), "JPEG")[:-2],
        encode(draw_picture(), "JPEG") + b"\0" * 9,
        encode(draw_picture(), "JPEG")[:-2] + b"\0" * MAX_BYTES + b"\xff\xd9",
        encode(Image.new("L", (4200, 4200)), "JPEG"),
    ],
    ids=["PNG", "MPO", "CMYK", "progressive", "RGB", "cut off", "longer", "large", "many pixels"],
)
def test_what_is_no_plain_jpeg_stays_with_the_loader_processes(data: bytes) -> None:
    assert look(data) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_plain_jpeg_is_handed_over(subsampling: str) -> None:
    data = encode(draw_picture(), "JPEG", subsampling=subsampling)
    found = look(data)
    assert found
    assert found.note == (len(data), 64, 48, 1)
    assert found.data.numpy().tobytes() == data


def test_whether_there_is_a_decoder_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: list[Tensor], device: torch.device) -> list[Tensor]:
        raise RuntimeError("torchvision not compiled with nvJPEG support")

    assert can_decode(CPU)
    monkeypatch.setattr(gpu_decode, "_decode_all", fail)
    assert not can_decode(CPU)
