"""Compose README's first picture: images half before and half after, with palettes and sizes."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from quantization.contract import Result

_SIZE = 440, 294
"""Pixels of each picture; two stand beside each other, and phones show them at half the size."""

_GAP, _STRIP, _CAPTION = 16, 28, 40
_PAGE, _INK, _QUIET = "#ffffff", "#24292f", "#57606a"
_LABEL, _TEXT = ImageFont.load_default(18), ImageFont.load_default(24)


@dataclass(frozen=True)
class Pair:
    """One image: its file, its quantized file, and the result JSON."""

    original: Path
    quantized: Path
    result: Result


def hero(pairs: list[Pair]) -> Image.Image:
    """Return the images beside each other."""
    width, height = _SIZE
    page = Image.new("RGB", (len(pairs) * (width + _GAP) - _GAP, height + _STRIP + _CAPTION), _PAGE)
    for column, pair in enumerate(pairs):
        page.paste(_card(pair), (column * (width + _GAP), 0))
    return page


def _card(pair: Pair) -> Image.Image:
    width, height = _SIZE
    card = Image.new("RGB", (width, height + _STRIP + _CAPTION), _PAGE)
    middle = width // 2
    card.paste(_picture(pair.original), (0, 0))
    after = _picture(pair.quantized).crop((middle, 0, width, height))
    card.paste(after, (middle, 0))
    card.paste(_palette(pair.result), (0, height))
    draw = ImageDraw.Draw(card)
    draw.line((middle, 0, middle, height), _PAGE, 3)
    for text, anchor, x in (("before", "ra", middle - 8), ("after", "la", middle + 10)):
        draw.text((x, 6), text, _INK, _LABEL, anchor, stroke_width=3, stroke_fill=_PAGE)
    size, new = pair.result.source_file.bytes, pair.result.image_file.bytes
    caption = f"{pair.result.k} colors, {_kilobytes(size)} to {_kilobytes(new)} kB"
    top = height + _STRIP + 8
    draw.text((0, top), caption, _INK, _TEXT)
    draw.text((width, top), f"{1 - new / size:.0%} less", _QUIET, _TEXT, "ra")
    return card


def _picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB").resize(_SIZE)


def _palette(result: Result) -> Image.Image:
    """Draw the palette as a strip, each color as wide as it is used, but never invisible."""
    width, _ = _SIZE
    strip = Image.new("RGB", (width, _STRIP))
    draw = ImageDraw.Draw(strip)
    weights = [max(swatch.share or 0, 0.4 / result.k) for swatch in result.palette]
    left = 0.0
    for swatch, weight in zip(result.palette, weights, strict=True):
        right = left + width * weight / sum(weights)
        draw.rectangle((round(left), 0, round(right), _STRIP), swatch.color)
        left = right
    return strip


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.1f}" if size < 10_000 else f"{size / 1000:.0f}"
