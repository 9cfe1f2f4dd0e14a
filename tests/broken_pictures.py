"""Every kind of broken or odd picture that users have, with what must become of it."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

#: Where ``write_broken_pictures`` writes no file at all.
MISSING = "missing.jpg"


def draw_picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """A picture that no two corners of are alike, so that a turn of it shows."""
    picture = Image.new("RGB", (width, height), (40, 90, 160))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 2, height // 2), fill=(220, 60, 40))
    draw.ellipse((width // 3, height // 3, width, height), fill=(250, 220, 90))
    return picture.convert(mode)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file of that format (Pillow's name)."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def encode_frames(kind: str) -> bytes:
    """A file of three pictures: animated, or of three pages."""
    others = [draw_picture(mode="L"), draw_picture().rotate(90)]
    return encode(draw_picture(), kind, save_all=True, append_images=others)


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size; its pixels never come."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 64)
    return b"\x89PNG\r\n\x1a\n" + _chunk(header) + _chunk(data) + _chunk(b"IEND")


def rotated_jpeg(turn: int) -> bytes:
    """A JPEG whose EXIF orientation is ``turn``."""
    exif = Image.Exif()
    exif[0x0112] = turn
    return encode(draw_picture(), "JPEG", exif=exif.tobytes(), quality=90)


def write_broken_pictures(folder: Path) -> dict[str, str | None]:
    """Write them all below ``folder``: file name -> failure code, None: must be classified."""
    expected: dict[str, str | None] = {MISSING: "not_found"}
    for name, (data, code) in _files().items():
        (folder / name).write_bytes(data)
        expected[name] = code
    return expected | _write_odd_files(folder)


def _files() -> dict[str, tuple[bytes, str | None]]:
    return _good_files() | _bad_files()


def _good_files() -> dict[str, tuple[bytes, str | None]]:
    picture, deep = draw_picture(), Image.new("I;16", (64, 48), 30_000)
    files = {
        "animated.gif": encode_frames("GIF"),
        "animated.webp": encode_frames("WEBP"),
        "two_pictures.mpo.jpg": encode_frames("MPO"),
        "pages.tiff": encode_frames("TIFF"),
        "cmyk.jpg": encode(draw_picture(mode="CMYK"), "JPEG"),
        "palette_transparent.png": encode(picture.quantize(16), "PNG", transparency=b"\0\x80" * 8),
        "sixteen_bit.png": encode(deep, "PNG"),
        "rgba.png": encode(draw_picture(mode="RGBA"), "PNG"),
        "grey_alpha.png": encode(draw_picture(mode="LA"), "PNG"),
        "grey.jpg": encode(draw_picture(mode="L"), "JPEG"),
        "one_bit.png": encode(draw_picture(mode="1"), "PNG"),
        "really_a_png.jpg": encode(picture, "PNG"),
        "CAPITALS.JPG": encode(picture, "JPEG"),
        "rotated.jpg": rotated_jpeg(6),
        "garbage_exif.jpg": encode(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" * 9),
        "progressive.jpg": encode(picture, "JPEG", progressive=True),
        "picture.bmp": encode(picture, "BMP"),
        "picture.tif": encode(picture, "TIFF", compression="tiff_lzw"),
        "still.webp": encode(picture, "WEBP"),
        "one_pixel.png": encode(draw_picture(1, 1), "PNG"),
        "very_tall.png": encode(draw_picture(1, 3000), "PNG"),
        "very_wide.jpg": encode(draw_picture(3000, 1), "JPEG"),
        "with a space, a comma\nand a line.jpg": encode(picture, "JPEG"),
    }
    return {name: (data, None) for name, data in files.items()}


def _bad_files() -> dict[str, tuple[bytes, str | None]]:
    jpeg, png = encode(draw_picture(), "JPEG"), encode(draw_picture(), "PNG")
    return {
        "empty.jpg": (b"", "not_an_image"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated_progressive.jpg": (
            encode(draw_picture(), "JPEG", progressive=True)[:-200],
            "truncated",
        ),
        "truncated_header.jpg": (jpeg[:30], "truncated"),
        "truncated.png": (png[: len(png) // 2], "truncated"),
        "truncated.gif": (encode(draw_picture(), "GIF")[:-99], "truncated"),
        "truncated.webp": (encode(draw_picture(), "WEBP")[:-80], "truncated"),
        "truncated.bmp": (encode(draw_picture(), "BMP")[:-900], "truncated"),
        "bad_checksum.png": (png.replace(b"IDAT", b"IDAT\1", 1), "decode_error"),
        "text.jpg": (b"hello, this is a note\n" * 9, "not_an_image"),
        "page.png": (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
        "zeros.jpg": (bytes(4096), "not_an_image"),
        "too_many_pixels.png": (png_header(20_000, 20_000), "too_many_pixels"),
        "photoshop.jpg": (b"8BPS\0\1" + bytes(99), "unsupported_format"),
        "modern.jpg": (b"\0\0\0\x20ftypavif" + bytes(99), "unsupported_format"),
        "phone.jpg": (b"\0\0\0\x18ftypheic" + bytes(99), "unsupported_format"),
        "drawing.png": (b"<?xml version='1.0'?><svg></svg>", "unsupported_format"),
    }


def _write_odd_files(folder: Path) -> dict[str, str | None]:
    good = folder / "good.jpg"
    good.write_bytes(encode(draw_picture(), "JPEG"))
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "link_to_good.jpg").symlink_to(good)
    (folder / "dangling_link.jpg").symlink_to(folder / "gone.jpg")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    (folder / "zero_device.jpg").symlink_to("/dev/zero")
    expected: dict[str, str | None] = {
        "good.jpg": None,
        "folder.jpg": "not_an_image",
        "pipe.jpg": "not_an_image",
        "link_to_good.jpg": None,
        "dangling_link.jpg": "not_found",
        "circle.jpg": "not_found",
        "zero_device.jpg": "not_an_image",
    }
    if os.geteuid() != 0:  # root may read everything
        (folder / "unreadable.jpg").write_bytes(good.read_bytes())
        (folder / "unreadable.jpg").chmod(0)
        expected["unreadable.jpg"] = "permission_denied"
    return expected


def _chunk(kind_and_data: bytes) -> bytes:
    length = struct.pack(">I", len(kind_and_data) - 4)
    return length + kind_and_data + struct.pack(">I", zlib.crc32(kind_and_data))
