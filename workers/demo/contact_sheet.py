"""Contact sheet: many pictures and what was said about them, on one PNG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, ImageOps

Mark = Literal["right", "wrong", "failed"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """One picture; `caption` is the predicted label, or the failure's code."""

    path: Path
    caption: str
    mark: Mark


#: Sizes in pixels.
TILE, GAP, MARGIN, HEAD, CAPTION, RADIUS, FRAME = 136, 18, 36, 104, 30, 10, 4
#: A narrower sheet would cut its title.
MIN_COLUMNS = 4

_PAPER, _INK, _MUTED = "#f7f6f3", "#23262b", "#6d727a"
_GREEN, _RED, _GREY, _GREY_TILE = "#2e8b57", "#d3312b", "#8f949c", "#e2e1dd"
_MARKS: dict[Mark, str] = {"right": _GREEN, "wrong": _RED, "failed": _GREY}


def draw_contact_sheet(
    cells: Sequence[Cell], destination: Path, columns: int = 10, title: str = ""
) -> None:
    """Write a PNG grid of thumbnails with captions, under `title` and a count of each mark.

    A wrong cell is framed in red. A failed or unreadable file is a grey tile; it never raises.
    Raises OSError when `destination` cannot be written, ValueError when `columns` is below 1.
    """
    columns = _fit_columns(len(cells), columns)
    sheet = Image.new("RGB", sheet_size(len(cells), columns), _PAPER)
    _draw_head(sheet, cells, title)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        left = MARGIN + column * (TILE + GAP)
        top = HEAD + row * (TILE + CAPTION + GAP)
        _draw_cell(sheet, cell, left, top)
    sheet.save(destination, "PNG", optimize=True)


def sheet_size(count: int, columns: int) -> tuple[int, int]:
    """Return width and height in pixels of a sheet of `count` cells, `columns` in a row."""
    columns = _fit_columns(count, columns)
    rows = math.ceil(count / columns)
    width = 2 * MARGIN + columns * (TILE + GAP) - GAP
    return width, HEAD + rows * (TILE + CAPTION + GAP) + MARGIN - GAP


def _fit_columns(count: int, columns: int) -> int:
    """Return the columns that are used: no empty ones, but enough for the title."""
    if columns < 1:
        raise ValueError(f"a contact sheet needs at least one column, not {columns}")
    return max(min(columns, count), MIN_COLUMNS)


def _draw_head(sheet: Image.Image, cells: Sequence[Cell], title: str) -> None:
    """Draw the title, and under it a coloured dot and a count for each mark."""
    draw, x = ImageDraw.Draw(sheet), MARGIN
    draw.text((MARGIN, 28), title or "Predictions", _INK, _font(26), anchor="lt")
    for mark, colour in _MARKS.items():
        text = f"{sum(cell.mark == mark for cell in cells)} {mark}"
        _fill(sheet, x, 69, 10, 5, colour)
        draw.text((x + 16, 74), text, _MUTED, _font(15), anchor="lm")
        x += 38 + round(draw.textlength(text, _font(15)))


def _draw_cell(sheet: Image.Image, cell: Cell, left: int, top: int) -> None:
    """Draw one tile with its caption, a wrong one on a red square that shows as a frame."""
    draw, tile = ImageDraw.Draw(sheet), _read_tile(cell)
    if cell.mark == "wrong":
        _fill(sheet, left - FRAME, top - FRAME, TILE + 2 * FRAME, RADIUS + FRAME, _RED)
    if tile is None:
        _draw_grey_tile(sheet, cell, left, top)
    else:
        sheet.paste(tile, (left, top), _rounded(TILE, RADIUS))
    text, colour = _caption(cell)
    place = (left + TILE / 2, top + TILE + 20)
    draw.text(place, _shortened(draw, text), colour, _font(15), anchor="mm")


def _caption(cell: Cell) -> tuple[str, str]:
    """Return text and colour under a tile: a failed one carries its code inside already."""
    if cell.mark == "failed":
        return cell.path.name, _MUTED
    return cell.caption, _RED if cell.mark == "wrong" else _INK


def _draw_grey_tile(sheet: Image.Image, cell: Cell, left: int, top: int) -> None:
    """Draw a grey tile with an exclamation mark and the failure's code."""
    draw, x, y = ImageDraw.Draw(sheet), left + TILE // 2, top + TILE // 2
    _fill(sheet, left, top, TILE, RADIUS, _GREY_TILE)
    _fill(sheet, x - 17, y - 41, 34, 17, _GREY)
    draw.text((x, y - 24), "!", _PAPER, _font(24), anchor="mm")
    code = cell.caption if cell.mark == "failed" else "unreadable"
    draw.text((x, y + 19), _shortened(draw, code), _INK, _font(15), anchor="mm")


def _read_tile(cell: Cell) -> Image.Image | None:
    """Return the middle of a picture as a square RGB tile; None if it failed or is unreadable."""
    if cell.mark == "failed":
        return None
    try:
        with Image.open(cell.path) as picture:
            picture.draft("RGB", (2 * TILE, 2 * TILE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return ImageOps.fit(upright, (TILE, TILE), Image.Resampling.LANCZOS)
    except Exception:  # a broken file may raise nearly anything in a decoder
        return None


def _fill(sheet: Image.Image, left: int, top: int, side: int, radius: int, colour: str) -> None:
    """Draw a square with round corners; it is a disc where `radius` is half of `side`."""
    sheet.paste(colour, (left, top, left + side, top + side), _rounded(side, radius))


@cache
def _rounded(side: int, radius: int) -> Image.Image:
    """Return a square mask with round corners, drawn large first so that they are smooth."""
    large = Image.new("L", (4 * side, 4 * side), 0)
    corners = (0, 0, 4 * side - 1, 4 * side - 1)
    ImageDraw.Draw(large).rounded_rectangle(corners, 4 * radius, fill=255)
    return large.resize((side, side), Image.Resampling.BOX)


def _shortened(draw: ImageDraw.ImageDraw, text: str) -> str:
    """Return the text, cut with dots where it is wider than a tile."""
    shown, length = text, len(text)
    while length and draw.textlength(shown, _font(15)) > TILE:
        length -= 1
        shown = text[:length].rstrip() + "..."
    return shown


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)
