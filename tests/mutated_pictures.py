"""Pictures that somebody damaged on purpose: seeded, of every format, and a few bombs."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

from PIL import Image

_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif"}
#: What length fields, offsets and counts should never be.
_ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def write_mutated_pictures(folder: Path, how_many: int, seed: int = 0) -> list[Path]:
    """Write so many files; the same seed writes the same ones."""
    paths = []
    for number, (suffix, data) in zip(range(how_many), _mutate_all(seed), strict=False):
        path = folder / f"{number:06}.{suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths


def _mutate_all(seed: int) -> Iterator[tuple[str, bytes]]:
    good = [(suffix, data) for suffix, data in _draw(random.Random(seed))]
    yield from _bombs()
    for number, (suffix, data) in zip(count(), cycle(good), strict=False):
        rng = random.Random(f"{seed} {number}")
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            data = rng.choice(_MUTATIONS)(rng, data, good)
        yield suffix, data


def _draw(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    for size in ((64, 48), (200, 300), (1, 500)):
        pixels = Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1]))
        smooth = pixels.resize((8, 8)).resize(size)
        for name, suffix in _SUFFIXES.items():
            yield suffix, _save(smooth, name)
        yield "jpg", _save(smooth, "JPEG", progressive=True, exif=_exif())
        yield "jpg", _save(smooth.convert("CMYK"), "JPEG")
        yield "png", _save(smooth.convert("P"), "PNG", interlace=1)
        yield "gif", _save(smooth, "GIF", save_all=True, append_images=[smooth, smooth])
        yield "tif", _save(smooth, "TIFF", compression="tiff_lzw")
        yield "tif", _save(smooth.convert("L"), "TIFF", compression="jpeg")
        yield "webp", _save(smooth, "WEBP", lossless=True)


def _save(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return exif.tobytes()


def _flip(rng: random.Random, data: bytes, _: object) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        if made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def _cut(rng: random.Random, data: bytes, _: object) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _blank(rng: random.Random, data: bytes, _: object) -> bytes:
    start, length = rng.randrange(len(data) + 1), rng.randrange(1, 200)
    return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]


def _repeat(rng: random.Random, data: bytes, _: object) -> bytes:
    start, length = rng.randrange(len(data) + 1), rng.randrange(1, 400)
    return (
        data[: start + length] + data[start : start + length] * rng.randrange(1, 9) + data[start:]
    )


def _insert(rng: random.Random, data: bytes, _: object) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 100)) + data[place:]


def _set_number(rng: random.Random, data: bytes, _: object) -> bytes:
    size, order = rng.choice((1, 2, 4)), rng.choice("<>")
    number = rng.choice(_ODD_NUMBERS) % 256**size
    # Headers are where numbers matter most.
    place = rng.randrange(min(len(data), rng.choice((64, 100_000))) + 1)
    made = struct.pack(order + {1: "B", 2: "H", 4: "I"}[size], number)
    return data[:place] + made + data[place + size :]


def _splice(rng: random.Random, data: bytes, good: list[tuple[str, bytes]]) -> bytes:
    other = rng.choice(good)[1]
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


_MUTATIONS = (_flip, _flip, _cut, _blank, _repeat, _insert, _set_number, _set_number, _splice)


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "png", _png(60_000, 60_000, bytes(1000))
    yield "png", _png(13_000, 13_000, bytes(13_000 * (1 + 3 * 13_000)))
    yield "png", _png(2**31 - 1, 1, b"")
    yield (
        "bmp",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65_000, 65_000, 1, 24, *[0] * 6),
    )
    yield "gif", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b"," + bytes(9) + b";"
    jpeg = bytearray(_save(Image.new("RGB", (16, 16)), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    yield "jpg", bytes(jpeg)
    tags = [(256, 4, 60_000), (257, 4, 60_000), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    yield "tif", b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def _png(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    made = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)
