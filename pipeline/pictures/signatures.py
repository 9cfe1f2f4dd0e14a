"""What bytes look like by their first few, for the message of a failure."""

from __future__ import annotations

import struct

#: Formats that are decoded (Pillow's names), by how their files begin.
_DECODED = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
)

#: Pictures of other formats: (offset, bytes there, name). AVIF and HEIC are known by their brand.
_FOREIGN = (
    (0, b"8BPS", "PSD"),
    (0, b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"\0\0\2\0\0\0\0\0", "TGA"),
    (0, b"\0\0\x0a\0\0\0\0\0", "TGA"),
    (0, b"icns", "ICNS"),
    (0, b"%PDF-", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"DDS ", "DDS"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"qoif", "QOI"),
    (0, b"gimp xcf", "XCF"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"FUJIFILM", "a camera's raw format"),
    *((0, b"P%d\n" % kind, "PNM") for kind in range(1, 8)),
    *((8, brand, "AVIF") for brand in (b"avif", b"avis")),
    *((8, brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
)

#: No pictures, but seen where pictures should be.
_OTHERS = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip data"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    (4, b"ftyp", "a video"),
    (0, b"{", "JSON text"),
    (0, b"[", "JSON text"),
)

#: Lengths of a BMP's second header; two letters alone are too little to know one by.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def find_decoded_format(data: bytes) -> str | None:
    """Return which of the decoded formats ``data`` claims to be (Pillow's name for it)."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and _number(data, 14) in _BMP_HEADERS:
        return "BMP"
    return next((name for name, magic in _DECODED if data.startswith(magic)), None)


def find_foreign_format(data: bytes) -> str | None:
    """Return the name of a picture's format that is not decoded, as far as it is known here."""
    if b"<svg" in data[:1024].lower():
        return "SVG"
    return _find(data, _FOREIGN)


def describe(data: bytes) -> str:
    """Return what ``data`` seems to be, that is no picture: ``an HTML page``, ``text``."""
    head = data[:1024].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page"
    if known := _find(data, _OTHERS):
        return known
    if not data.strip(b"\0"):
        return "nothing but zero bytes"
    return "text" if _is_text(data[:512]) else "no format that is known"


def ends_early(data: bytes) -> bool:
    """Return whether a file of a decoded format lacks its end."""
    kind = find_decoded_format(data)
    if kind == "JPEG":
        return b"\xff\xd9" not in data
    if kind == "PNG":
        return b"IEND" not in data
    if kind == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if kind == "WEBP":
        return _number(data, 4) + 8 > len(data)
    if kind == "BMP":
        return _number(data, 2) > len(data)
    return kind == "TIFF" and _first_directory(data) >= len(data)


def _first_directory(data: bytes) -> int:
    order = "<" if data.startswith(b"II") else ">"
    is_big = b"+" in data[:4]
    start = data[8:16] if is_big else data[4:8]
    kind = order + ("Q" if is_big else "L")
    return int(struct.unpack(kind, start)[0]) if len(start) == struct.calcsize(kind) else len(data)


def _find(data: bytes, known: tuple[tuple[int, bytes, str], ...]) -> str | None:
    return next((name for at, magic, name in known if data.startswith(magic, at)), None)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _is_text(head: bytes) -> bool:
    control = set(range(32)) - {9, 10, 12, 13, 27}
    return not control.intersection(head) and bool(head.decode("utf-8", "ignore"))
