"""Decoding against the source's own transform, and what becomes of odd pictures."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from broken_pictures import write_broken_pictures
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from pipeline.fetch.limits import FetchLimits
from pipeline.pictures.pictures import open_picture
from pipeline.records import Precision
from workers.decode import _SCALED_SIDE, _read_stored
from workers.decoder import Decoded, Decoder
from workers.geometry import CROP

MAX_PIXELS, MAX_BYTES = 178_956_970, 2**28

#: The source's snippet, without the normalisation that happens on the device.
SOURCE = transforms.Compose(
    [transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()]
)


def decoder(precision: Precision = Precision.AUTO) -> Decoder:
    return Decoder(precision, MAX_PIXELS, FetchLimits(MAX_BYTES))


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draw smooth shapes with some texture, as photos have them."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = rng.integers(-12, 13, (height, width, 3), dtype=np.int16)
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **options: Any) -> str:
    image.save(path, **options)
    return str(path)


def pixels(found: Decoded) -> torch.Tensor:
    assert found.failure is None, found.failure
    assert found.pixels is not None
    assert found.pixels.shape == (CROP, CROP, 3)
    assert found.pixels.dtype == torch.uint8
    return found.pixels


def source_pixels(path: str) -> torch.Tensor:
    tensor: torch.Tensor = SOURCE(Image.open(path).convert("RGB"))
    return tensor.permute(1, 2, 0)


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (224, 224), (97, 1301), (301, 300)])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exact_gives_the_sources_own_pixels(
    tmp_path: Path, size: tuple[int, int], suffix: str
) -> None:
    path = save(scene(*size), tmp_path / f"a.{suffix}")
    assert torch.equal(pixels(decoder(Precision.EXACT)(path)), source_pixels(path))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "LA", "1"])
def test_exact_treats_every_mode_as_the_source_does(tmp_path: Path, mode: str) -> None:
    suffix = "jpg" if mode in ("L", "CMYK") else "png"
    path = save(scene(320, 280).convert(mode), tmp_path / f"a.{suffix}")
    assert torch.equal(pixels(decoder(Precision.EXACT)(path)), source_pixels(path))


@pytest.mark.parametrize("size", [(500, 375), (1600, 1200), (180, 320), (256, 256)])
def test_auto_is_within_a_few_levels_of_the_source(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save(scene(*size), tmp_path / "a.jpg", quality=90)
    difference = (pixels(decoder()(path)).int() - source_pixels(path).int()).abs()
    assert difference.max() <= 6
    assert difference.float().mean() < 0.5


@pytest.mark.parametrize(
    ("precision", "side", "scaled"),
    [
        (Precision.AUTO, 2048, (1365, 1024)),
        (Precision.AUTO, 2047, (2729, 2047)),
        (Precision.FAST, 1024, (683, 512)),
        (Precision.FAST, 4096, (683, 512)),
        (Precision.FAST, 1023, (1364, 1023)),
    ],
)
def test_big_photos_are_decoded_at_a_smaller_scale_to_nearly_the_same(
    tmp_path: Path, precision: Precision, side: int, scaled: tuple[int, int]
) -> None:
    path = Path(save(scene(side * 4 // 3, side), tmp_path / "a.jpg", quality=90))
    with open_picture(path.read_bytes(), MAX_PIXELS) as picture:
        stored = _read_stored(path.read_bytes(), picture, _SCALED_SIDE[precision])
    assert stored.array.shape == (scaled[1], scaled[0], 3)
    difference = pixels(decoder(precision)(str(path))).int() - source_pixels(str(path)).int()
    assert difference.abs().float().mean() < 3


@pytest.mark.parametrize("size", [(2759, 2049), (2049, 2759), (2063, 2063)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_sides_that_no_scale_divides_shift_nothing(
    tmp_path: Path, size: tuple[int, int], orientation: int
) -> None:
    stripes = np.indices((size[1], size[0])).sum(0) // 40 % 2 * 255
    image = Image.fromarray(np.repeat(stripes[..., None], 3, 2).astype(np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    large, small = tmp_path / "a.jpg", tmp_path / "a.png"
    image.save(large, quality=95, exif=exif)
    image.save(small, exif=exif)
    difference = pixels(decoder()(str(large))).int() - pixels(decoder()(str(small))).int()
    assert difference.abs().max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_auto_turns_a_photo_as_its_exif_says_and_exact_does_not(
    tmp_path: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = save(scene(400, 300), tmp_path / "a.jpg", exif=exif, quality=95)
    upright = tmp_path / "upright.png"
    from PIL import ImageOps

    ImageOps.exif_transpose(Image.open(jpeg)).save(upright)
    turned, wanted = pixels(decoder()(jpeg)), source_pixels(str(upright))
    assert (turned.int() - wanted.int()).abs().float().mean() < 0.6
    assert torch.equal(pixels(decoder(Precision.EXACT)(jpeg)), source_pixels(jpeg))


@given(width=st.integers(1, 700), height=st.integers(1, 700))
def test_every_size_becomes_one_of_224_by_224(width: int, height: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 90)).save(buffer, "JPEG")
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(buffer.getvalue())
        file.flush()
        for precision in Precision:
            pixels(decoder(precision)(file.name))


@pytest.mark.parametrize("precision", list(Precision))
def test_a_very_long_strip_is_classified_without_gigabytes(
    tmp_path: Path, precision: Precision
) -> None:
    path = save(Image.new("RGB", (2, 400_000), (9, 200, 9)), tmp_path / "a.png")
    found = pixels(decoder(precision)(path))
    assert (found.float().mean((0, 1)) - torch.tensor([9.0, 200, 9])).abs().max() < 2


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 300 * 300, dtype=np.uint16).reshape(300, 300)
    path = save(Image.fromarray(ramp), tmp_path / "a.png")
    assert 100 < pixels(decoder()(path)).float().mean() < 155


@pytest.mark.parametrize("precision", list(Precision))
def test_every_odd_picture_is_classified_or_has_its_code(
    tmp_path: Path, precision: Precision
) -> None:
    for name, code in write_broken_pictures(tmp_path).items():
        found = decoder(precision)(str(tmp_path / name))
        assert (str(found.failure.code) if found.failure else None) == code, name


def test_what_was_seen_of_the_bytes_is_told(tmp_path: Path) -> None:
    path = save(scene(320, 200), tmp_path / "a.jpg")
    data = Path(path).read_bytes()
    import hashlib

    facts = decoder()(path).facts
    assert facts.size == len(data)
    assert facts.sha256 == hashlib.sha256(data).digest()
    assert facts.version == str(Path(path).stat().st_mtime_ns)
    assert (facts.width, facts.height) == (320, 200)


def test_hostile_bytes_never_raise(tmp_path: Path) -> None:
    rng = random.Random(7)
    buffer = io.BytesIO()
    scene(90, 70).save(buffer, "JPEG")
    path = tmp_path / "a.jpg"
    for _ in range(150):
        data = bytearray(buffer.getvalue())
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data) + 1)])
        found = decoder()(str(path))
        assert (found.pixels is None) != (found.failure is None)
