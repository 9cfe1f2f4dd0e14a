"""Thumbnails of local files and archives: made once, shown only while they may be read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from archive_helpers import pack_tar, pack_zip
from broken_pictures import draw_picture, encode, write_broken_pictures
from other_user import public_folder, without_root
from PIL import Image

from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits
from pipeline.records import Failure
from pipeline.thumbnails.thumbnails import Thumbnails

_MAX_PIXELS = 100_000_000


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encode(draw_picture(800, 600), "JPEG"))
    return folder


@pytest.fixture
def thumbnails(tmp_path: Path, pictures: Path) -> Iterator[Thumbnails]:
    limits = FetchLimits(2**24, roots=(pictures,))
    made = Thumbnails(tmp_path / "cache", 2**24, limits, _MAX_PIXELS)
    yield made
    made.close()


@pytest.fixture
def drawn(thumbnails: Thumbnails, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was given to the drawing processes."""
    given: list[bytes] = []
    draw = thumbnails._decoders.draw

    def note(data: bytes) -> bytes:
        given.append(data)
        return draw(data)

    monkeypatch.setattr(thumbnails._decoders, "draw", note)
    return given


def failure_of(thumbnails: Thumbnails, uri: str | Path) -> Failure:
    with pytest.raises(PictureError) as caught:
        thumbnails.get(str(uri))
    return caught.value.failure


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def test_a_picture_is_drawn_once(
    thumbnails: Thumbnails, pictures: Path, drawn: list[bytes]
) -> None:
    first = thumbnails.get(str(pictures / "a.jpg"))

    assert size(first) == (320, 240)
    assert thumbnails.get(str(pictures / "a.jpg")) == first
    assert len(drawn) == 1


def test_another_server_finds_what_this_one_has_drawn(
    thumbnails: Thumbnails, pictures: Path, tmp_path: Path
) -> None:
    first = thumbnails.get(str(pictures / "a.jpg"))
    other = Thumbnails(tmp_path / "cache", 2**24, FetchLimits(2**24), _MAX_PIXELS)

    assert other.get(str(pictures / "a.jpg")) == first
    assert other._decoders._all[0]._child is None
    other.close()


def test_a_changed_file_has_a_new_thumbnail(
    thumbnails: Thumbnails, pictures: Path, drawn: list[bytes]
) -> None:
    thumbnails.get(str(pictures / "a.jpg"))
    (pictures / "a.jpg").write_bytes(encode(draw_picture(600, 800), "JPEG"))

    assert size(thumbnails.get(str(pictures / "a.jpg"))) == (240, 320)
    assert len(drawn) == 2


def test_every_kind_of_broken_picture_has_its_failure(
    thumbnails: Thumbnails, pictures: Path
) -> None:
    expected = write_broken_pictures(pictures)
    expected["zero_device.jpg"] = "blocked_path"  # /dev is outside of the roots
    expected["too_many_pixels.png"] = "too_many_pixels"

    for name, code in expected.items():
        if code is None:
            assert max(size(thumbnails.get(str(pictures / name)))) <= 320
        else:
            assert failure_of(thumbnails, pictures / name).code == code, name


def test_a_link_out_of_the_roots_is_blocked(
    thumbnails: Thumbnails, pictures: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encode(draw_picture(), "JPEG"))
    (pictures / "link.jpg").symlink_to(secret)

    for uri in (pictures / "link.jpg", secret, pictures / ".." / "secret.jpg"):
        assert failure_of(thumbnails, uri).code == "blocked_path"
    archive = pack_zip(tmp_path / "a.zip", [("a.jpg", secret.read_bytes())])
    assert failure_of(thumbnails, f"zip://{archive}#a.jpg").code == "blocked_path"


def test_what_was_drawn_is_not_shown_when_the_file_has_left_the_roots(
    thumbnails: Thumbnails, pictures: Path, tmp_path: Path
) -> None:
    uri = str(pictures / "a.jpg")
    thumbnails.get(uri)
    outside = (pictures / "a.jpg").rename(tmp_path / "a.jpg")
    assert failure_of(thumbnails, uri).code == "not_found"
    (pictures / "a.jpg").symlink_to(outside)

    assert failure_of(thumbnails, uri).code == "blocked_path"


def test_what_was_drawn_is_not_shown_when_the_file_may_no_longer_be_read(tmp_path: Path) -> None:
    with public_folder() as folder:
        path = folder / "a.jpg"
        path.write_bytes(encode(draw_picture(), "JPEG"))
        thumbnails = Thumbnails(tmp_path / "cache", 2**24, FetchLimits(2**24), _MAX_PIXELS)
        thumbnails.get(str(path))
        path.chmod(0)
        with without_root():
            assert failure_of(thumbnails, path).code == "permission_denied"
        thumbnails.close()


@pytest.mark.parametrize(("pack", "kind"), [(pack_tar, "tar"), (pack_zip, "zip")])
def test_a_member_of_an_archive_has_a_thumbnail(
    thumbnails: Thumbnails, pictures: Path, drawn: list[bytes], pack: object, kind: str
) -> None:
    assert callable(pack)
    archive = pack(pictures / f"a.{kind}", [("in/b.jpg", (pictures / "a.jpg").read_bytes())])
    uri = f"{kind}://{archive}#in/b.jpg"

    assert thumbnails.get(uri) == thumbnails.get(uri)
    assert len(drawn) == 1
    assert failure_of(thumbnails, f"{kind}://{archive}#no.jpg").code == "not_found"


def test_a_failure_is_not_tried_again_so_soon(
    thumbnails: Thumbnails, pictures: Path, drawn: list[bytes]
) -> None:
    (pictures / "text.jpg").write_bytes(b"hello " * 9)

    assert failure_of(thumbnails, pictures / "text.jpg").code == "not_an_image"
    assert failure_of(thumbnails, pictures / "text.jpg").code == "not_an_image"
    assert len(drawn) == 1
    (pictures / "text.jpg").write_bytes(encode(draw_picture(), "JPEG"))
    thumbnails.get(str(pictures / "text.jpg"))


def test_many_threads_get_the_same_and_it_is_drawn_once(
    thumbnails: Thumbnails, pictures: Path, drawn: list[bytes]
) -> None:
    for number in range(5):
        (pictures / f"{number}.jpg").write_bytes(encode(draw_picture(500 + number, 400), "JPEG"))
    uris = [str(pictures / f"{number % 5}.jpg") for number in range(100)]

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(thumbnails.get, uris))
    assert len(drawn) == 5
    assert len(set(made)) == 5
    assert made[:5] == made[95:]


def test_a_folder_that_cannot_be_written_is_no_hindrance(pictures: Path) -> None:
    os.utime(pictures)
    thumbnails = Thumbnails(Path("/proc/thumbnails"), 2**24, FetchLimits(2**24), _MAX_PIXELS)

    assert thumbnails.get(str(pictures / "a.jpg")) == thumbnails.get(str(pictures / "a.jpg"))
    thumbnails.close()
