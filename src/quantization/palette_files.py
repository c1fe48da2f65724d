"""Palettes in the formats that people load: GIMP, Adobe Swatch Exchange, CSS; and that they have.

What is read is text: GIMP's palettes, hex codes one a line as Lospec has them, JASC's (Paint Shop
Pro), and the result JSON of another image.
"""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quantization.errors import UnreadablePalette
from quantization.options import MOST_GIVEN, HexColor, PaletteFormat, hex_color

if TYPE_CHECKING:
    from quantization.contract import Result, Swatch


def to_gpl(name: str, palette: Sequence["Swatch"]) -> bytes:
    """Write a GIMP palette, which Inkscape, Krita and others load too.

    Parameters
    ----------
    name : str
    palette : sequence of Swatch
        Written in this order, each named by its hex code and its share where that is known.
    """
    colors = "".join(
        f"{r:3} {g:3} {b:3}\t{_label(s)}\n" for s in palette for r, g, b in [_levels(s)]
    )
    header = f"GIMP Palette\nName: {one_line(name)}\nColumns: {min(len(palette), 16)}\n#\n"
    return (header + colors).encode()


def to_ase(name: str, palette: Sequence["Swatch"]) -> bytes:
    """Write an Adobe Swatch Exchange file: one group of process colors in RGB.

    Parameters
    ----------
    name : str
        Of the group.
    palette : sequence of Swatch
        As for `to_gpl`.
    """
    blocks = [_ase_block(0xC001, _ase_text(one_line(name)))]
    for swatch in palette:
        levels = (level / 255 for level in _levels(swatch))
        color = struct.pack(">4s3fH", b"RGB ", *levels, 2)
        blocks.append(_ase_block(0x0001, _ase_text(_label(swatch)) + color))
    blocks.append(_ase_block(0xC002, b""))
    return struct.pack(">4sHHI", b"ASEF", 1, 0, len(blocks)) + b"".join(blocks)


def to_css(name: str, palette: Sequence["Swatch"]) -> bytes:
    """Write CSS custom properties, ``--color-1`` the most used.

    Parameters
    ----------
    name : str
        For a comment.
    palette : sequence of Swatch
    """
    lines = [
        f"  --color-{number}: {swatch.color};" + _share(swatch, " /* {:.1%} */")
        for number, swatch in enumerate(palette, 1)
    ]
    title = one_line(name).replace("*/", "* /")
    return "\n".join([f"/* {title} */", ":root {", *lines, "}", ""]).encode()


class Writer(NamedTuple):
    """How a format is written, and the media type of what is."""

    write: Callable[[str, Sequence["Swatch"]], bytes]
    media_type: str


WRITERS: dict[PaletteFormat, Writer] = {
    "gpl": Writer(to_gpl, "text/plain; charset=utf-8"),
    "ase": Writer(to_ase, "application/octet-stream"),
    "css": Writer(to_css, "text/css; charset=utf-8"),
}


def palette_file(result: "Result", extension: PaletteFormat, k: int | None = None) -> bytes:
    """Write a palette of a result in one of the formats, named after the upload.

    Parameters
    ----------
    result : Result
    extension : PaletteFormat
    k : int, optional
        Which palette; that of the image, unless given.

    Raises
    ------
    KeyError
        If the result has no palette of `k` colors.
    """
    palette = result.palette if k is None else result.palettes()[k]
    return WRITERS[extension].write(PurePosixPath(result.source.key).name, palette)


def _levels(swatch: "Swatch") -> tuple[int, ...]:
    return tuple(bytes.fromhex(swatch.color[1:]))


def _label(swatch: "Swatch") -> str:
    return swatch.color + _share(swatch, " {:.1%}")


def _share(swatch: "Swatch", form: str) -> str:
    return "" if swatch.share is None else form.format(swatch.share)


def one_line(name: str) -> str:
    """Replace what does not print, line ends above all, by single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def _ase_block(kind: int, content: bytes) -> bytes:
    return struct.pack(">HI", kind, len(content)) + content


def _ase_text(text: str) -> bytes:
    """Encode as UTF-16 that ends with 0, after the number of its code units."""
    encoded = f"{text}\0".encode("utf-16-be")
    return struct.pack(">H", len(encoded) // 2) + encoded


def read_palette(name: str, content: bytes) -> tuple[HexColor, ...]:
    """Read a palette from a file of one of the formats of `READERS`.

    Parameters
    ----------
    name : str
        Its ending, in either case, says which.
    content : bytes

    Returns
    -------
    colors : tuple of str
        All different, in the file's order.

    Raises
    ------
    UnreadablePalette
        If the file is not in that format, or has no color or more than `MOST_GIVEN`.
    """
    read = READERS.get(PurePosixPath(name).suffix[1:].lower())
    if read is None:
        raise UnreadablePalette(f"{name} has none of the endings {', '.join(READERS)}")
    try:
        colors = tuple(dict.fromkeys(read(content.decode("utf-8-sig", errors="replace"))))
    except ValueError as error:  # msgspec's errors of decoding are some.
        raise UnreadablePalette(f"{name} is not read as a palette: {error}") from error
    if not 1 <= len(colors) <= MOST_GIVEN:
        raise UnreadablePalette(f"{name} has {len(colors)} colors; a palette has 1 to {MOST_GIVEN}")
    return colors


def palette_at_hand(given: str) -> str:
    """Return what is given as a palette so that it says the same elsewhere.

    The name of a file on this machine becomes the file's colors, all else stays as it is.

    Raises
    ------
    UnreadablePalette
        If the file is no palette.
    """
    file = Path(given)
    if file.suffix[1:].lower() not in READERS or not file.is_file():
        return given
    # Without number signs, 255 colors fit into the 2 kB that S3 has for metadata.
    return " ".join(color[1:] for color in read_palette(given, file.read_bytes()))


def from_gpl(text: str) -> Iterable[HexColor]:
    """Read a GIMP palette; see `to_gpl`.

    https://developer.gimp.org/core/standards/gpl
    """
    header, *lines = text.splitlines() or [""]
    if header.strip() != "GIMP Palette":
        raise ValueError("it does not begin with 'GIMP Palette'")
    return [_from_levels(line) for line in lines if not re.match(r"\s*(#|[A-Za-z]+:|$)", line)]


def from_jasc(text: str) -> Iterable[HexColor]:
    """Read a palette of JASC's Paint Shop Pro: header, version and number, then a color a line."""
    header, *lines = text.split("\n")
    if header.strip() != "JASC-PAL":
        raise ValueError("it does not begin with 'JASC-PAL'; those of RIFF are not read")
    _, number, *lines = [line for line in lines if line.strip()] or ["", "0"]
    if len(lines) != int(number):
        raise ValueError(f"it says {int(number)} colors and has {len(lines)}")
    return map(_from_levels, lines)


def from_hex_codes(text: str) -> Iterable[HexColor]:
    """Read hex codes, one a line."""
    return [_from_hex_code(line.strip()) for line in text.splitlines() if line.strip()]


def from_result(text: str) -> Iterable[HexColor]:
    """Read the palette of the image that a result JSON is of."""
    return [swatch.color for swatch in msgspec.json.decode(text, type=_OfResult).palette]


READERS: dict[str, Callable[[str], Iterable[HexColor]]] = {
    "gpl": from_gpl,
    "hex": from_hex_codes,
    "pal": from_jasc,
    "json": from_result,
}
"""By file extension: every `PaletteSource`."""


class _OfSwatch(msgspec.Struct):
    color: HexColor


class _OfResult(msgspec.Struct):
    """What a palette is read from: any version of the result has it."""

    palette: list[_OfSwatch]


def _from_hex_code(line: str) -> HexColor:
    try:
        return msgspec.convert(hex_color(line), HexColor)
    except msgspec.ValidationError as error:
        raise ValueError(f"{line!r} is no hex code, such as ffcc00") from error


def _from_levels(line: str) -> HexColor:
    """Read a line that begins with levels of red, green and blue."""
    levels = [int(word) for word in line.split()[:3] if word.isdecimal()]
    if len(levels) != 3 or max(levels) > 255:
        raise ValueError(f"{line.strip()!r} does not begin with three levels from 0 to 255")
    return "#{:02x}{:02x}{:02x}".format(*levels)
