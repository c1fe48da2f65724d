"""Palettes in the formats that people load: GIMP, Adobe Swatch Exchange, CSS."""

import struct
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from quantization.contract import Result, Swatch

PaletteFormat = Literal["gpl", "ase", "css"]
"""The formats, by their file extensions; `WRITERS` has a row for each."""


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
