from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest
from broken_pictures import (
    draw_picture,
    encode,
    png_header,
    write_broken_pictures,
)
from PIL import Image, ImageFile

from pipeline.failures import PictureError
from pipeline.fetch.files import read_bytes
from pipeline.fetch.limits import FetchLimits
from pipeline.pictures.pictures import load_picture, open_picture, to_rgb, upright
from pipeline.records import FailureCode

MAX_PIXELS = 100_000_000
LIMITS = FetchLimits(max_bytes=10_000_000)


def fail(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[str, str]:
    with pytest.raises(PictureError) as caught:
        to_rgb(open_picture(data, max_pixels))
    return str(caught.value.failure.code), caught.value.failure.message


def outcome(path: Path) -> str | None:
    try:
        data = read_bytes(str(path), LIMITS).data
        image = to_rgb(upright(open_picture(data, MAX_PIXELS)))
    except PictureError as error:
        return str(error.failure.code)
    assert image.mode == "RGB"
    return None


def test_every_kind_of_broken_or_odd_picture_has_its_outcome(tmp_path: Path) -> None:
    expected = write_broken_pictures(tmp_path)

    assert {name: outcome(tmp_path / name) for name in expected} == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_mutated_file_is_a_picture_or_a_failure_and_nothing_else(kind: str) -> None:
    whole, dice = encode(draw_picture(), kind), random.Random(kind)
    outcomes = set()
    for _ in range(300):
        try:
            image = to_rgb(upright(open_picture(mutate(whole, dice), max_pixels=1_000_000)))
            outcomes.add(image.mode)
        except PictureError as error:
            outcomes.add(str(error.failure.code))
    assert "RGB" in outcomes
    assert {"truncated", "decode_error"} & outcomes


def mutate(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(changed)) if dice.random() < 0.5 else dice.randrange(64)
        changed[at % len(changed)] = dice.randrange(256)
    if dice.random() < 0.3:
        del changed[dice.randrange(len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_cut_anywhere_after_its_signature_is_no_crash_and_mostly_truncated(
    kind: str,
) -> None:
    whole = encode(draw_picture(), kind)
    codes = [code_of(whole[:length]) for length in range(16, len(whole) - 1, 37)]

    assert set(codes) <= {"truncated", "decode_error", None}
    assert codes.count("truncated") >= 0.8 * len(codes)


def code_of(data: bytes) -> str | None:
    try:
        load_picture(open_picture(data, MAX_PIXELS))
    except PictureError as error:
        return str(error.failure.code)
    return None


def test_an_empty_file_says_so() -> None:
    assert fail(b"") == ("not_an_image", "the file is empty")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html><body>Forbidden", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "Git LFS"),
        (b'{"error": "expired"}', "JSON"),
        (b"BMW is a car maker, and this is a note", "text"),
        (b"\0\0\0\x18ftypmp42", "video"),
        (bytes(100), "zero bytes"),
        (b"\x93\x02\xf1\x00\xaa", "no format that is known"),
    ],
)
def test_what_is_no_picture_is_described(data: bytes, words: str) -> None:
    code, message = fail(data)

    assert code == "not_an_image"
    assert words in message


@pytest.mark.parametrize("kind", ["ICO", "PPM", "JPEG2000", "TGA", "PDF", "EPS", "AVIF"])
def test_a_format_that_is_not_decoded_is_never_decoded(kind: str) -> None:
    code, _ = fail(encode(draw_picture(), kind))

    assert code == "unsupported_format"


def test_the_pixel_limit_is_exact_and_checked_before_anything_is_decoded() -> None:
    header = png_header(1000, 1000)

    assert open_picture(header, max_pixels=1_000_000).size == (1000, 1000)
    code, message = fail(header, max_pixels=999_999)
    assert code == "too_many_pixels"
    assert "1000 x 1000" in message


def test_a_picture_without_pixels_is_a_failure() -> None:
    assert fail(b"GIF89a" + bytes(7) + b"," + bytes(9) + b";")[0] == "decode_error"


def test_a_limit_above_pillows_own_holds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    tiff = encode(draw_picture(100, 100), "TIFF")

    load_picture(open_picture(tiff, max_pixels=10_000))


def test_pillows_own_limit_is_never_lowered_or_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    open_picture(encode(draw_picture(10, 10), "PNG"), max_pixels=100)

    assert Image.MAX_IMAGE_PIXELS == 5000


def test_pillows_own_bomb_error_is_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_picture(encode(draw_picture(100, 100), "TIFF"), MAX_PIXELS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    with pytest.raises(PictureError) as caught:
        load_picture(image)
    assert caught.value.failure.code == "too_many_pixels"


def test_no_memory_is_the_decoders_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_picture(encode(draw_picture(), "PNG"), MAX_PIXELS)
    monkeypatch.setattr(image, "load", lambda: bytearray(2**62))

    with pytest.raises(PictureError) as caught:
        load_picture(image)
    assert caught.value.failure.code == "decoder_crashed"


def test_truncated_files_are_not_patched_up() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_jpeg_with_bytes_after_its_end_is_a_picture() -> None:
    assert code_of(encode(draw_picture(), "JPEG") + b"camera's own data") is None


def test_the_first_frame_is_what_counts() -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "MPO"):
        data = encode(first, kind, save_all=True, append_images=[second])
        colour = np.asarray(to_rgb(open_picture(data, MAX_PIXELS)))[4, 4]
        assert colour[0] > 200 > colour[2], kind


def test_a_message_can_be_stored() -> None:
    error = PictureError(FailureCode.DECODE_ERROR, "bad \0 \udcff" + "x" * 999)

    assert str(error) == error.failure.message
    assert error.failure.message.startswith(r"bad \x00 \udcff")
    assert len(error.failure.message) <= 300


def test_opening_reads_the_header_only() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "JPEG", quality=90)
    started = time.perf_counter()
    for _ in range(20):
        open_picture(data, MAX_PIXELS)
    opening = time.perf_counter() - started
    load_picture(open_picture(data, MAX_PIXELS))

    assert opening / 20 < time.perf_counter() - started - opening
