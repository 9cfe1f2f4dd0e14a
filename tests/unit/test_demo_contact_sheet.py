"""The contact sheet: a tile and a caption for each picture, whatever its file is like."""

from pathlib import Path

import pytest
from PIL import Image

from workers.demo.contact_sheet import (
    CAPTION,
    GAP,
    HEAD,
    MARGIN,
    TILE,
    Cell,
    Mark,
    draw_contact_sheet,
    sheet_size,
)
from workers.demo.drawing import write_broken_pictures

Colour = tuple[int, int, int]
BLUE, RED, GREY_TILE = (30, 60, 200), (211, 49, 43), (226, 225, 221)


def test_the_sheet_is_a_png_of_as_many_rows_as_its_cells_need(
    picture: Path, tmp_path: Path
) -> None:
    cells = [Cell(picture, "fish", "right")] * 11
    sheet = _draw(cells, tmp_path, columns=5)
    assert sheet.format == "PNG"
    assert sheet.width == 2 * MARGIN + 5 * TILE + 4 * GAP
    assert sheet.height == HEAD + 3 * (TILE + CAPTION) + 2 * GAP + MARGIN


def test_a_sheet_of_few_cells_has_no_empty_columns_but_room_for_its_title() -> None:
    assert sheet_size(6, columns=10) == sheet_size(6, columns=6)
    assert sheet_size(1, columns=10) == sheet_size(4, columns=4)


def test_a_sheet_without_cells_is_only_a_title(tmp_path: Path) -> None:
    assert _draw([], tmp_path).height == HEAD + MARGIN - GAP


def test_less_than_one_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one column, not 0"):
        draw_contact_sheet([], tmp_path / "sheet.png", columns=0)


def test_each_cell_shows_its_picture_in_reading_order(tmp_path: Path) -> None:
    colours: list[Colour] = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (90, 90, 0), (0, 90, 90)]
    paths = [_paint(tmp_path / f"{number}.png", c) for number, c in enumerate(colours)]
    sheet = _draw([Cell(path, "fish", "right") for path in paths], tmp_path, columns=4)
    assert [_middle_of(sheet, number) for number in range(5)] == colours


@pytest.mark.parametrize(("mark", "framed"), [("right", False), ("wrong", True), ("failed", False)])
def test_only_a_wrong_cell_has_a_red_frame_and_a_red_caption(
    mark: Mark, framed: bool, picture: Path, tmp_path: Path
) -> None:
    sheet = _draw([Cell(picture, "fish", mark)], tmp_path)
    assert (sheet.getpixel((MARGIN - 3, HEAD + TILE // 2)) == RED) is framed
    assert (RED in _colours(sheet, _caption_box(0))) is framed


def test_a_failed_cell_is_a_grey_tile_even_where_its_picture_can_be_read(
    picture: Path, tmp_path: Path
) -> None:
    sheet = _draw([Cell(picture, "timeout", "failed")], tmp_path)
    colours = _colours(sheet, _tile_box(0))
    assert GREY_TILE in colours
    assert BLUE not in colours


def test_a_failed_cell_shows_its_code(picture: Path, tmp_path: Path) -> None:
    one, other = (
        _draw([Cell(picture, code, "failed")], tmp_path).crop(_tile_box(0)).tobytes()
        for code in ("timeout", "truncated")
    )
    assert one != other


def test_unreadable_and_missing_files_are_grey_tiles_and_never_raise(tmp_path: Path) -> None:
    paths = [*write_broken_pictures(tmp_path / "broken"), tmp_path / "missing.jpg", tmp_path]
    sheet = _draw([Cell(path, "fish", "right") for path in paths], tmp_path)
    for number in range(len(paths)):
        assert GREY_TILE in _colours(sheet, _tile_box(number))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_pictures_of_any_mode_are_shown(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.new(mode, (40, 60)).save(path)
    assert GREY_TILE not in _colours(_draw([Cell(path, "fish", "right")], tmp_path), _tile_box(0))


def test_a_caption_too_long_for_its_cell_is_cut(picture: Path, tmp_path: Path) -> None:
    sheet = _draw([Cell(picture, "a very long label " * 5, "wrong")], tmp_path)
    left, top, right, bottom = _caption_box(0)
    assert RED in _colours(sheet, (left, top, right, bottom))
    assert RED not in _colours(sheet, (right + 2, top, right + GAP, bottom))


def test_title_and_counts_are_drawn_in_the_head(picture: Path, tmp_path: Path) -> None:
    right, wrong = Cell(picture, "fish", "right"), Cell(picture, "fish", "wrong")
    drawn = [([right], "one"), ([right], "two"), ([wrong], "one"), ([right, right], "one")]
    heads = {
        _draw(cells, tmp_path, title=title).crop((0, 0, 600, HEAD - 6)).tobytes()
        for cells, title in drawn
    }
    assert len(heads) == len(drawn)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A readable blue picture."""
    return _paint(tmp_path / "picture.png", BLUE)


def _paint(path: Path, colour: Colour) -> Path:
    Image.new("RGB", (50, 40), colour).save(path)
    return path


def _draw(cells: list[Cell], folder: Path, columns: int = 10, title: str = "") -> Image.Image:
    draw_contact_sheet(cells, folder / "sheet.png", columns, title)
    with Image.open(folder / "sheet.png") as sheet:
        sheet.load()
        return sheet


def _tile_box(number: int, columns: int = 10) -> tuple[int, int, int, int]:
    row, column = divmod(number, columns)
    left, top = MARGIN + column * (TILE + GAP), HEAD + row * (TILE + CAPTION + GAP)
    return left, top, left + TILE, top + TILE


def _caption_box(number: int) -> tuple[int, int, int, int]:
    left, _, right, bottom = _tile_box(number)
    return left, bottom + 6, right, bottom + CAPTION


def _middle_of(sheet: Image.Image, number: int) -> Colour:
    left, top, right, bottom = _tile_box(number, columns=4)
    red, green, blue = sheet.getpixel(((left + right) // 2, (top + bottom) // 2))  # type: ignore[misc]
    return red, green, blue


def _colours(sheet: Image.Image, box: tuple[int, int, int, int]) -> set[object]:
    counted = sheet.crop(box).getcolors(TILE * TILE)
    return {colour for _, colour in counted or []}
