from __future__ import annotations

import io
import random
import warnings
from unittest.mock import Mock

import numpy as np
import pytest
from broken_pictures import draw_picture, encode, rotated_jpeg
from PIL import Image, ImageOps

from pipeline.failures import PictureError
from pipeline.pictures.pictures import open_picture, orientation, to_rgb, upright

MAX_PIXELS = 100_000_000


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_picture_is_set_upright_as_pillow_itself_would(turn: int) -> None:
    data = rotated_jpeg(turn)
    image = open_picture(data, MAX_PIXELS)

    assert orientation(image) == turn
    assert upright(image).tobytes() == ImageOps.exif_transpose(reopen(data)).tobytes()


def reopen(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_turned_tiff_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = open_picture(encode(draw_picture(64, 48), "TIFF", exif=exif), MAX_PIXELS)

    assert orientation(image) == 1
    assert upright(image).size == (48, 64)
    assert upright(image).getpixel((40, 5)) == (220, 60, 40)


def test_metadata_that_pillow_cannot_read_is_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_picture(rotated_jpeg(6), MAX_PIXELS)
    monkeypatch.setattr(image, "getexif", Mock(side_effect=UnicodeDecodeError("x", b"", 0, 1, "")))

    assert orientation(image) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_out_of_its_range_is_upright(value: int) -> None:
    assert orientation(open_picture(rotated_jpeg(value), MAX_PIXELS)) == 1


def test_garbage_metadata_is_upright_and_warns_nobody() -> None:
    dice, plain = random.Random(0), rotated_jpeg(6)
    start = plain.index(b"Exif")
    for _ in range(200):
        data = bytearray(plain)
        for _ in range(6):
            data[start + 6 + dice.randrange(26)] = dice.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert orientation(open_picture(bytes(data), MAX_PIXELS)) in range(1, 9)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK"])
def test_any_usual_mode_becomes_rgb_exactly_as_in_the_sources_snippet(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    data = encode(draw_picture(mode=mode), kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = reopen(data).convert("RGB")

    assert to_rgb(open_picture(data, MAX_PIXELS)).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_deep_greyscale_is_scaled_and_not_clipped(depth: int) -> None:
    top = 2**depth - 1
    ramp = np.linspace(0, top, 256).round().astype(np.uint16).reshape(16, 16)
    data = encode(Image.fromarray(ramp), "PNG")
    grey = np.asarray(to_rgb(open_picture(data, MAX_PIXELS)))[..., 0].reshape(-1)

    assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_of_any_range_are_stretched_from_darkest_to_brightest(
    kind: type[np.generic],
) -> None:
    values = np.array([[-1e6, 0.0], [1e6, 5e5]]).astype(kind)
    data = encode(Image.fromarray(values), "TIFF")

    grey = np.asarray(to_rgb(open_picture(data, MAX_PIXELS)))[..., 0]
    assert grey.tolist() == [[0, 128], [255, 191]]


def test_floats_that_are_no_numbers_harm_nothing() -> None:
    values = np.array([[np.nan, np.inf], [1.0, 0.5]], dtype=np.float32)
    data = encode(Image.fromarray(values), "TIFF")

    assert to_rgb(open_picture(data, MAX_PIXELS)).getpixel((0, 1)) == (255, 255, 255)


@pytest.mark.parametrize("error", [ValueError("no way"), KeyError("x"), OSError("bad"), EOFError()])
def test_whatever_pillow_raises_while_converting_is_a_failure(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = open_picture(encode(draw_picture(), "PNG"), MAX_PIXELS)
    monkeypatch.setattr(image, "convert", Mock(side_effect=error))

    with pytest.raises(PictureError) as caught:
        to_rgb(image)
    assert caught.value.failure.code == "decode_error"
    assert "cannot be decoded (" in caught.value.failure.message
