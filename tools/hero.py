"""Compose README's first picture: images before and after, with palettes and file sizes."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from quantization.contract import Result

_WIDTH = 420
"""Pixels of each picture; two stand beside each other."""

_GAP, _STRIP, _CAPTION = 16, 22, 30
_PAGE, _INK = "#ffffff", "#24292f"


@dataclass(frozen=True)
class Row:
    """One image: its file, its quantized file, and the result JSON."""

    original: Path
    quantized: Path
    result: Result


def hero(rows: list[Row]) -> Image.Image:
    """Return the rows below each other, all pictures of one width."""
    strips = [_row(row) for row in rows]
    height = sum(strip.height + _GAP for strip in strips) + _GAP
    page = Image.new("RGB", (2 * _WIDTH + 3 * _GAP, height), _PAGE)
    top = _GAP
    for strip in strips:
        page.paste(strip, (_GAP, top))
        top += strip.height + _GAP
    return page


def _row(row: Row) -> Image.Image:
    before, after = _picture(row.original), _picture(row.quantized)
    height = max(before.height, after.height)
    page = Image.new("RGB", (2 * _WIDTH + _GAP, height + _STRIP + _CAPTION), _PAGE)
    page.paste(before, (0, 0))
    page.paste(after, (_WIDTH + _GAP, 0))
    page.paste(_palette(row.result), (_WIDTH + _GAP, height))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(17)
    size, new = row.result.source_file.bytes, row.result.image_file.bytes
    baseline = height + _STRIP + 6
    draw.text((0, baseline), f"before: {_kilobytes(size)}", _INK, font)
    saved = f"{_kilobytes(new)}, {1 - new / size:.0%} smaller"
    draw.text((_WIDTH + _GAP, baseline), f"{row.result.k} colors: {saved}", _INK, font)
    return page


def _picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    return picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)))


def _palette(result: Result) -> Image.Image:
    """Draw the palette as a strip, each color as wide as it is used, but never invisible."""
    strip = Image.new("RGB", (_WIDTH, _STRIP))
    draw = ImageDraw.Draw(strip)
    weights = [max(swatch.share or 0, 0.4 / result.k) for swatch in result.palette]
    left = 0.0
    for swatch, weight in zip(result.palette, weights, strict=True):
        right = left + _WIDTH * weight / sum(weights)
        draw.rectangle((round(left), 0, round(right), _STRIP), swatch.color)
        left = right
    return strip


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.0f} kB"
