"""Small HEIC files, coded by x265 by way of pillow-heif, and what no encoder at hand writes."""

import io
import struct
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray

LOSSLESS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
"""Options of pillow-heif: what is decoded has the very levels that were coded."""

_MODES = {
    (1, 1): "L",
    (3, 1): "RGB",
    (4, 1): "RGBA",
    (1, 2): "I;16",
    (3, 2): "RGB;16",
    (4, 2): "RGBA;16",
}
"""By channels and bytes of a level."""


def heic(*images: NDArray[Any], mode: str = "", **options: Any) -> bytes:
    """Return a HEIC file without loss, unless the options say otherwise.

    Levels of 8 or 16 bits have the shape (height, width, 3 or 4), or (height, width) for gray. Of
    16 bits the upper ten are stored. The mode is pillow-heif's, where that is not enough.
    """
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for levels in images:
        channels = 1 if levels.ndim == 2 else levels.shape[2]
        named = mode or _MODES[channels, levels.itemsize]
        file.add_frombytes(named, levels.shape[1::-1], levels.tobytes())
    buffer = io.BytesIO()
    file.save(buffer, **LOSSLESS | options)
    return buffer.getvalue()


def sequence(still: bytes, frames: int) -> bytes:
    """Return a sequence of so many frames, all of them that of a file of one image."""

    def copied(kind: bytes) -> bytes:
        start = still.index(kind) - 4
        (length,) = struct.unpack_from(">I", still, start)
        return still[start : start + length]

    size = np.array(struct.unpack_from(">II", still, still.index(b"ispe") + 8), dtype=">u2")
    pixels = still[still.index(b"mdat") + 4 :]
    brands = _box(b"ftyp", b"hevc", bytes(4), b"msf1hevc")
    entry = _box(b"hvc1", bytes(24), size.tobytes(), bytes(50), copied(b"hvcC"), copied(b"colr"))
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), entry),
        _box(b"stsz", struct.pack(">III", 0, len(pixels), frames)),
        _box(b"stco", struct.pack(">III", 0, 1, len(brands) + 8)),
    )
    handler = _box(b"hdlr", bytes(8), b"pict", bytes(13))
    track = _box(b"trak", _box(b"mdia", handler, _box(b"minf", table)))
    return brands + _box(b"mdat", pixels) + _box(b"moov", track)


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body
