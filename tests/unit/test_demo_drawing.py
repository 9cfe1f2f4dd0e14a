"""The demo's pictures: the same for a seed, of every label, and five that are broken."""

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from workers.demo.drawing import (
    LABELS,
    draw_numbered,
    draw_picture,
    true_label,
    write_broken_pictures,
    write_pictures,
)
from workers.demo.figure import FIGURES, MARGIN, draw_figure
from workers.demo.palette import Palette, choose_palette


def test_the_labels_are_at_least_twelve_plain_words_in_order() -> None:
    assert len(LABELS) >= 12
    assert list(LABELS) == sorted(set(LABELS))
    assert all(label.isalpha() and label.islower() for label in LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_drawn_in_rgb_between_180_and_640_pixels_a_side(label: str) -> None:
    for seed in range(5):
        picture = draw_picture(label, random.Random(seed))
        assert picture.mode == "RGB"
        assert 180 <= min(picture.size) <= max(picture.size) <= 640


def test_an_unknown_label_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        draw_picture("unicorn", random.Random(1))


def test_the_same_seed_draws_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (draw_picture("fish", random.Random(seed)) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert (first.size, first.tobytes()) != (other.size, other.tobytes())


def test_sizes_and_shapes_of_pictures_vary() -> None:
    sizes = {draw_picture("star", random.Random(seed)).size for seed in range(30)}
    assert len(sizes) > 20
    assert any(width > height for width, height in sizes)
    assert any(width < height for width, height in sizes)


def test_no_two_labels_share_an_outline() -> None:
    outlines = [tuple(outline(random.Random(1))) for outline, _ in FIGURES.values()]
    assert len(set(outlines)) == len(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_no_outline_leaves_the_unit_disc(label: str) -> None:
    outline, _ = FIGURES[label]
    for seed in range(20):
        corners = [point for part in outline(random.Random(seed)) for point in part.points]
        assert max(x * x + y * y for x, y in corners) <= 1.0


@pytest.mark.parametrize("label", LABELS)
def test_the_object_lies_inside_the_centre_crop(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = _only_the_object(monkeypatch)
    for seed in range(8):
        inside, outside = _split_at_the_crop(draw_picture(label, random.Random(seed)))
        assert (inside != quiet).any(axis=-1).mean() > 0.005
        assert outside.min() > 120, "only a soft shadow may reach out of the crop"


def test_a_figure_stands_in_the_middle_of_its_own_square() -> None:
    rng = random.Random(4)
    figure = draw_figure("ring", 50, choose_palette(rng), rng)
    assert figure.mode == "RGBA"
    assert figure.width == figure.height == 2 * np.ceil(50 * MARGIN)
    assert figure.getpixel((figure.width // 2, figure.height // 2))[3] < 255  # type: ignore[index] # a tuple in RGBA


def test_written_names_tell_the_truth_and_labels_are_evenly_spread(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "new", count=2 * len(LABELS), seed=5)
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    assert Counter(true_label(path) for path in paths) == dict.fromkeys(LABELS, 2)
    assert paths[0].name == f"0000_{LABELS[0]}.jpg"
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "JPEG"


def test_written_files_are_the_same_for_a_seed_and_differ_for_another(tmp_path: Path) -> None:
    first, again, other = (
        [path.read_bytes() for path in write_pictures(tmp_path / name, 6, seed)]
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_a_numbered_picture_does_not_depend_on_how_many_are_drawn(tmp_path: Path) -> None:
    path = write_pictures(tmp_path, 4, seed=3)[3]
    assert draw_numbered(3, seed=3) == (true_label(path), path.read_bytes())


@pytest.mark.parametrize(
    "name",
    ["empty.jpg", "0001_unicorn.jpg", "0001_fish.png", "fish.jpg", "1_fish.jpg", "0001_.jpg"],
)
def test_a_name_that_we_did_not_write_has_no_true_label(name: str) -> None:
    assert true_label(Path(name)) is None


def test_a_name_beyond_9999_keeps_its_true_label() -> None:
    assert true_label(Path("somewhere/12345_fish.jpg")) == "fish"


def test_there_are_exactly_five_broken_files_without_a_true_label(tmp_path: Path) -> None:
    paths = write_broken_pictures(tmp_path / "new")
    names = ["empty.jpg", "notes.jpg", "truncated.jpg", "broken.png", "huge.png"]
    assert [path.name for path in paths] == names
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    assert [true_label(path) for path in paths] == [None] * 5


def test_the_empty_file_and_the_notes_are_no_images(tmp_path: Path) -> None:
    empty, notes, *_ = write_broken_pictures(tmp_path)
    assert empty.stat().st_size == 0
    assert notes.read_text(encoding="ascii").startswith("These are only notes")
    for path in (empty, notes):
        with pytest.raises(UnidentifiedImageError):
            Image.open(path)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [("truncated.jpg", "JPEG", "truncated"), ("broken.png", "PNG", "unrecognized data stream")],
)
def test_the_damaged_files_open_but_do_not_load(
    name: str, kind: str, message: str, tmp_path: Path
) -> None:
    write_broken_pictures(tmp_path)
    with Image.open(tmp_path / name) as picture:
        assert picture.format == kind
        with pytest.raises(OSError, match=message):
            picture.load()


def test_the_huge_file_is_small_and_declares_more_pixels_than_the_limit(tmp_path: Path) -> None:
    huge = write_broken_pictures(tmp_path)[-1]
    assert huge.stat().st_size < 1000
    with pytest.raises(Image.DecompressionBombError, match="900000000 pixels"):
        Image.open(huge)


def _only_the_object(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """Leave out everything but the object, and return the colour of the bare background."""
    quiet = (255, 255, 255)

    def draw_bare(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
        return Image.new("RGB", (width, height), quiet)

    monkeypatch.setattr("workers.demo.drawing.draw_background", draw_bare)
    monkeypatch.setattr("workers.demo.drawing.scatter_clutter", lambda *_: None)
    monkeypatch.setattr("workers.demo.drawing._worn", lambda picture, _: picture)
    return quiet


def _split_at_the_crop(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels in and outside the centre crop, each (n, 3)."""
    pixels = np.asarray(picture)
    side = 2 * math.ceil(min(picture.size) * 112 / 256)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    within = np.zeros(pixels.shape[:2], dtype=bool)
    within[top : top + side, left : left + side] = True
    return pixels[within], pixels[~within]
