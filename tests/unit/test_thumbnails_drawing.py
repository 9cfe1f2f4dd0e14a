"""Drawing a thumbnail: every format and mode, in the right colours and the right way up."""

from __future__ import annotations

import io

import pytest
from broken_pictures import _files, draw_picture, encode, encode_frames, png_header, rotated_jpeg
from PIL import Image

from pipeline.failures import PictureError
from pipeline.thumbnails.drawing import draw

_FILES = _files()
_MAX_PIXELS = 178_956_970


def thumbnail(data: bytes, side: int = 320) -> Image.Image:
    image = Image.open(io.BytesIO(draw(data, side, _MAX_PIXELS)))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def is_near(colour: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(int(one) - two) < 30 for one, two in zip(colour, wanted, strict=True))


@pytest.mark.parametrize("name", _FILES)
def test_every_good_picture_has_a_thumbnail_and_every_bad_one_its_failure(name: str) -> None:
    data, code = _FILES[name]
    if code is None:
        assert max(thumbnail(data).size) <= 320
        return
    with pytest.raises(PictureError) as caught:
        draw(data, 320, _MAX_PIXELS)
    assert caught.value.failure.code == code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_large_picture_gets_small_and_keeps_its_shape_and_colours(kind: str) -> None:
    small = thumbnail(encode(draw_picture(1600, 1200), kind), 320)

    assert small.size == (320, 240)
    assert is_near(small.getpixel((10, 10)), (220, 60, 40))
    assert is_near(small.getpixel((310, 10)), (40, 90, 160))
    assert is_near(small.getpixel((213, 160)), (250, 220, 90))


def test_a_small_picture_stays_small() -> None:
    assert thumbnail(encode(draw_picture(64, 48), "PNG")).size == (64, 48)


@pytest.mark.parametrize(("size", "wanted"), [((3000, 1), (320, 1)), ((1, 3000), (1, 320))])
def test_a_line_of_pixels_stays_one(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert thumbnail(encode(draw_picture(*size), "PNG")).size == wanted


@pytest.mark.parametrize("turn", range(1, 9))
def test_it_is_upright_however_the_camera_was_held(turn: int) -> None:
    upright = draw_picture()
    small = thumbnail(rotated_jpeg(turn))
    ways: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    turned = upright.transpose(ways[turn]) if turn in ways else upright

    assert small.size == turned.size
    for corner in ((2, 2), (small.width - 3, 2), (2, small.height - 3)):
        assert is_near(small.getpixel(corner), turned.getpixel(corner))  # type: ignore[arg-type]


def test_transparency_is_left_out_of_account_as_the_model_does() -> None:
    picture = Image.new("RGBA", (40, 40), (200, 30, 30, 0))

    assert is_near(thumbnail(encode(picture, "PNG")).getpixel((20, 20)), (200, 30, 30))


def test_deep_grey_is_scaled_and_not_cut_off() -> None:
    deep = Image.new("I;16", (64, 48), 32_768)

    assert is_near(thumbnail(encode(deep, "PNG")).getpixel((30, 20)), (128, 128, 128))


def test_an_animation_shows_its_first_frame() -> None:
    small = thumbnail(encode_frames("GIF"))

    assert is_near(small.getpixel((5, 5)), (220, 60, 40))


def test_nothing_of_what_a_file_says_of_itself_goes_along() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = encode(
        draw_picture(),
        "JPEG",
        exif=exif.tobytes(),
        comment=b"a secret remark",
        icc_profile=b"a secret profile",
        dpi=(72, 72),
    )
    assert data.count(b"secret") == 3

    made = draw(data, 320, _MAX_PIXELS)
    assert b"secret" not in made
    assert not {"exif", "comment", "icc_profile", "dpi"} & set(Image.open(io.BytesIO(made)).info)


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(PictureError) as caught:
        draw(png_header(20_000, 20_000), 320, 1000)
    assert caught.value.failure.code == "too_many_pixels"
