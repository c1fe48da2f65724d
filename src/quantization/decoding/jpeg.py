"""JPEG (ITU-T T.81): which kinds are read, and what becomes of files without an end."""

import mmap
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding.stored import Rows, Stored, by_libvips, load, mapped, rows_of
from quantization.errors import UnsupportedImage

_START_OF_SCAN, _END = 0xDA, 0xD9
_END_OF_IMAGE = b"\xff\xd9"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF, 0xF7}
_HIERARCHICAL = {0xC5, 0xC6, 0xCD, 0xCE}
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}

_HARMLESS = ("extraneous bytes", "Unknown Adobe", "Unknown JFIF", "JFIF revision")
"""Warnings of libjpeg that leave every pixel its level. All others are of pixels that lack."""


def read(path: Path) -> Stored:
    """Read the header.

    Raises
    ------
    UnsupportedImage
        If it is lossless, hierarchical or not of 8 bits.
    """
    with mapped(path) as data:
        source = _mended(data, _check(data)) or path
    reopen, leniently = (partial(load, "jpegload", source, f) for f in ("warning", "error"))
    try:
        image = reopen()
    except pyvips.Error as error:
        if not _is_harmless(error):
            raise
        return by_libvips(leniently(), leniently)
    stored = by_libvips(image, reopen)
    return stored._replace(decode=lambda: _rows_of(reopen, leniently))


def _rows_of(*attempts: Callable[[], pyvips.Image]) -> Rows:
    """Decode with the first attempt that is not stopped by a harmless warning."""
    rows = rows_of(attempts[0]())

    def decoded(top: int, bottom: int) -> NDArray[np.uint8]:
        nonlocal rows
        try:
            return rows(top, bottom)
        except pyvips.Error as error:
            if not _is_harmless(error):
                raise
            rows = rows_of(attempts[-1]())
            return rows(top, bottom)

    return decoded


def _is_harmless(error: pyvips.Error) -> bool:
    return any(words in error.detail for words in _HARMLESS)


def _check(data: mmap.mmap) -> int:
    """Refuse kinds that are not read; return where the first scan starts, or the file's end."""
    for marker, at in _segments(data):
        if marker in _LOSSLESS:
            raise UnsupportedImage("lossless JPEG is not read; save it as PNG or ordinary JPEG")
        if marker in _HIERARCHICAL:
            raise UnsupportedImage("hierarchical JPEG is not read; save it as ordinary JPEG")
        if marker in _FRAMES and (bits := data[at + 2]) != 8:
            raise UnsupportedImage(f"JPEG of {bits} bits is not read; save it with 8 bits")
        if marker == _START_OF_SCAN:
            return at
    return len(data)


def _segments(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield each marker before the pixels with the offset of what follows it."""
    at = 2
    # Bytes between segments are passed over, and so is a marker's padding of FF.
    while (at := data.find(b"\xff", at)) >= 0 and at + 5 < len(data):
        marker = data[at := at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            continue
        yield marker, at + 1
        if marker in (_START_OF_SCAN, _END):
            return
        at += 1 + struct.unpack_from(">H", data, at + 1)[0]


def _mended(data: mmap.mmap, scan: int) -> bytes | None:
    """Return the file with an end where it has none after its pixels.

    Without one decoders call it cut off, though all pixels may be there; with one they warn where
    any lack. An interrupted copy may be zeros up to its full length: they are no pixels.
    """
    if scan == len(data) or data.find(_END_OF_IMAGE, scan) >= 0:
        return None
    return data[:].rstrip(b"\0") + _END_OF_IMAGE
