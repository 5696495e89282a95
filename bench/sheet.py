"""Many pictures on one labelled sheet, as a JPEG of a limited size."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from bench.crop_grounds import checks
from bench.sheet_calls import Shown

_COLUMNS = 6
_TILE = (250, 188)
_MARGIN, _LINE_PX, _HEADING_PX = 10, 15, 34
_PAPER, _INK, _FAINT = (250, 250, 248), (30, 30, 30), (110, 110, 110)
_QUALITIES = (88, 80, 72, 64, 56, 48, 40)


def write_sheet(shown: Sequence[Shown], most_bytes: int) -> bytes:
    """Draw all pictures in their groups and write them within the limit."""
    sheet = _drawn(shown)
    written = io.BytesIO()
    for quality in _QUALITIES:
        written = io.BytesIO()
        sheet.save(written, "JPEG", quality=quality, optimize=True)
        if written.tell() <= most_bytes:
            break
    return written.getvalue()


def _drawn(shown: Sequence[Shown]) -> Image.Image:
    rows = list(_rows(shown))
    width = _COLUMNS * (_TILE[0] + _MARGIN) + _MARGIN
    height = _MARGIN + sum(_row_px(row) for row in rows)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN
    for row in rows:
        if row.heading:
            draw.text((_MARGIN, top), row.heading, font=ImageFont.load_default(22), fill=_INK)
        below = top + _row_px(row) - 2 * _LINE_PX - _MARGIN
        for number, tile in enumerate(row.tiles):
            _place(sheet, tile, (_MARGIN + number * (_TILE[0] + _MARGIN), below))
        top += _row_px(row)
    return sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    """A picture as small as the sheet has it, chequered where it can be seen through."""

    shown: Shown
    picture: Image.Image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Pictures side by side; the first of a group has its heading."""

    heading: str
    tiles: Sequence[_Tile]


def _rows(shown: Sequence[Shown]) -> Iterator[_Row]:
    for group in dict.fromkeys(one.group for one in shown):
        tiles = [_Tile(shown=one, picture=_small(one)) for one in shown if one.group == group]
        for at in range(0, len(tiles), _COLUMNS):
            yield _Row(heading="" if at else group, tiles=tiles[at : at + _COLUMNS])


def _row_px(row: _Row) -> int:
    tallest = max(tile.picture.height for tile in row.tiles)
    return (_HEADING_PX if row.heading else 0) + tallest + 2 * _LINE_PX + _MARGIN


def _small(one: Shown) -> Image.Image:
    small = one.picture.convert("RGBA")
    small.thumbnail(_TILE, Image.Resampling.LANCZOS)
    ground = checks(small.size, 8, (255, 255, 255), (205, 205, 205))
    ground.paste(small, mask=small.getchannel("A"))
    return ground


def _place(sheet: Image.Image, tile: _Tile, at: tuple[int, int]) -> None:
    """Draw one picture above a line, with its label below."""
    picture = tile.picture
    sheet.paste(picture, (at[0] + (_TILE[0] - picture.width) // 2, at[1] - picture.height))
    draw = ImageDraw.Draw(sheet)
    for number, (words, ink) in enumerate(((tile.shown.label, _INK), (tile.shown.note, _FAINT))):
        place = (at[0] + _TILE[0] / 2, at[1] + 2 + number * _LINE_PX)
        draw.text(place, words, font=ImageFont.load_default(12), fill=ink, anchor="ma")
