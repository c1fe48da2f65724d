"""Small image files of kinds that Pillow does not write, made byte by byte."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TYPES = {1: "B", 3: "H", 4: "I", 7: "B"}


def tiff(
    levels: ArrayLike,
    photometric: int,
    *,
    sample_format: int = 1,
    extra: Sequence[int] = (),
    tile: int = 0,
    compression: int = 1,
    more: Sequence[tuple[int, int, Sequence[int]]] = (),
) -> bytes:
    """Return a little-endian TIFF in one strip, or in square tiles.

    It is not compressed, whatever `compression` says. `more` are further tags: (number, type,
    values).
    """
    levels = np.asarray(levels)
    height, width = levels.shape[:2]
    samples = 1 if levels.ndim == 2 else levels.shape[2]
    blocks = [levels.tobytes()]
    if tile:
        corners = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
        blocks = [levels[y : y + tile, x : x + tile].tobytes() for y, x in corners]
    place, lengths = (324, 325) if tile else (273, 279)
    fields = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [levels.itemsize * 8] * samples),
        (259, 3, [compression]),
        (262, 3, [photometric]),
        (277, 3, [samples]),
        (339, 3, [sample_format] * samples),
        (place, 4, [0] * len(blocks)),
        (lengths, 4, [len(block) for block in blocks]),
        *([(322, 4, [tile]), (323, 4, [tile])] if tile else [(278, 4, [height])]),
        *([(338, 3, list(extra))] if extra else []),
        *more,
    ]
    values = {
        tag: struct.pack(f"<{len(numbers)}{_TYPES[kind]}", *numbers)
        for tag, kind, numbers in fields
    }
    end = 8 + 2 + 12 * len(fields) + 4
    start = end + sum(len(value) for value in values.values() if len(value) > 4)
    offsets = start + np.cumsum([0, *map(len, blocks)])[:-1]
    values[place] = struct.pack(f"<{len(blocks)}I", *offsets.tolist())
    entries = outside = b""
    for tag, kind, numbers in sorted(fields):
        value = values[tag]
        entries += struct.pack("<HHI", tag, kind, len(numbers))
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", end + len(outside))
            outside += value
    head = b"II*\0" + struct.pack("<IH", 8, len(fields))
    return head + entries + bytes(4) + outside + b"".join(blocks)


def bmp(
    width: int,
    height: int,
    bits: int,
    data: bytes,
    *,
    compression: int = 0,
    masks: Sequence[int] = (),
    header: int = 40,
    palette: bytes = b"",
) -> bytes:
    """Return a BMP file with a header of so many bytes; masks lie in it or behind it."""
    head = struct.pack(
        "<IiiHHIIiiII",
        *(header, width, height, 1, bits, compression, len(data), 0, 0, len(palette) // 4, 0),
    )
    head = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + palette + data


def gif(
    screen: tuple[int, int], frame: tuple[int, int, int, int], codes: bytes, palette: bytes
) -> bytes:
    """Return a GIF of one frame (left, top, width, height) in two colors, coded with 3 bits."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + palette
    image = b"," + struct.pack("<HHHHB", *frame, 0) + b"\2"
    return head + image + bytes([len(codes)]) + codes + b"\0;"


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def before(png: bytes, kind: bytes, *chunks: bytes) -> bytes:
    """Insert chunks before the first of a kind."""
    at = png.index(kind) - 4
    return png[:at] + b"".join(chunks) + png[at:]


def flat(level: float, kind: str, channels: int = 1) -> NDArray[np.generic]:
    """Return 8 x 8 pixels of one level."""
    shape = (8, 8) if channels == 1 else (8, 8, channels)
    return np.full(shape, level, dtype=kind)
